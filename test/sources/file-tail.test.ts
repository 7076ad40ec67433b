// Plain files through logrotate's ways, copytruncate, downtimes and globs: every line once, in order.
import assert from 'node:assert/strict'
import {
  copyFileSync,
  linkSync,
  mkdirSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { test } from 'node:test'
import { ended, has, lines, numbers, range, sourcesFixture } from './fixture.js'

const fixture = sourcesFixture()

test('what the operator states is split: place and pod win, the service fills a gap', async () => {
  fixture.folder.write('a.log', lines(1))
  const fields = {
    service_name: 'cart',
    namespace: 'shop',
    log_type: 'audit',
    labels: { env: 'prod' },
  } as const
  const bench = await fixture.files({
    fields,
    format: 'logfmt',
    multiline: { start: '^\\S', wait: 1000, lines_max: 50 },
  })
  await has(bench, 1)
  const origin = bench.announced[0]?.origin
  assert.deepEqual(origin?.trusted, { node_name: 'node-1', namespace: 'shop' })
  assert.deepEqual(origin?.fallback, { service_name: 'cart', log_type: 'audit' })
  assert.deepEqual(origin?.labels, { env: 'prod' })
  assert.deepEqual(origin?.multiline, { start: '^\\S', waitMs: 1000, linesMax: 50 })
  assert.equal(origin?.content, 'logfmt')
})

test('an unfinished line is not a record until its newline comes', async () => {
  fixture.folder.write('a.log', 'line 1\nline')
  const bench = await fixture.files()
  await has(bench, 1)
  fixture.folder.append('a.log', ' 2\nline ')
  await has(bench, 2)
  fixture.folder.append('a.log', '3\n')
  await has(bench, 3)
  assert.deepEqual(numbers(bench), [1, 2, 3])
})

test('copytruncate: a file shorter than its offset is read from its beginning, and counted', async () => {
  fixture.folder.write('a.log', lines(...range(0, 50)))
  const bench = await fixture.files()
  await has(bench, 50)
  truncateSync(fixture.folder.path('a.log'), 0)
  fixture.folder.append('a.log', lines(50))
  await has(bench, 51)
  assert.equal(bench.metric('files_truncated_total', { source: 'app' }), 1)
  assert.equal(bench.slabs.at(-1)?.offset, 0)
  assert.deepEqual(
    bench.closed.map(({ done }) => done),
    [true],
  )
})

test('copytruncate that grew beyond the offset between two looks is seen by its beginning', async () => {
  fixture.folder.write('a.log', lines(...range(0, 5)))
  const bench = await fixture.files()
  await has(bench, 5)
  writeFileSync(fixture.folder.path('a.log'), lines(...range(100, 120)))
  await has(bench, 25)
  assert.deepEqual(numbers(bench).slice(5), range(100, 120))
})

test('a file truncated during a downtime is read from its beginning', async () => {
  fixture.folder.write('a.log', lines(...range(0, 50)))
  const before = await fixture.files()
  await has(before, 50)
  await before.stop()
  writeFileSync(fixture.folder.path('a.log'), lines(...range(50, 60)))
  const bench = await fixture.files({}, before.positions())
  await has(bench, 10)
  assert.deepEqual(numbers(bench), range(50, 60))
})

test('logrotate renames: the old name is read to its end though no glob names it', async () => {
  fixture.folder.write('a.log', lines(0))
  fixture.folder.write('a.log.1', lines(999))
  const bench = await fixture.files()
  await has(bench, 1)
  fixture.folder.rename('a.log.1', 'a.log.2')
  fixture.folder.rename('a.log', 'a.log.1')
  fixture.folder.write('a.log', '')
  fixture.folder.append('a.log.1', lines(1))
  await has(bench, 2)
  fixture.folder.append('a.log', lines(2))
  await has(bench, 3)
  assert.deepEqual(numbers(bench), [0, 1, 2])
})

test('rotated twice between two looks: the file in between is read, older ones are not', async () => {
  fixture.folder.write('a.log', lines(0))
  fixture.folder.write('a.log.1', lines(999))
  utimesSync(fixture.folder.path('a.log.1'), 1_600_000_000, 1_600_000_000)
  const bench = await fixture.files({ rescan: 80 })
  await has(bench, 1)
  fixture.folder.rename('a.log.1', 'a.log.3')
  fixture.folder.rename('a.log', 'a.log.2')
  fixture.folder.write('a.log.1', lines(1, 2))
  fixture.folder.write('a.log', lines(3))
  await has(bench, 4)
  assert.deepEqual(numbers(bench), [0, 1, 2, 3])
})

test('rotated twice and packed during a downtime: it goes on where it was', async () => {
  fixture.folder.write('a.log', lines(...range(0, 100)))
  fixture.folder.write('a.log-20261101.gz', 'nothing of ours')
  const before = await fixture.files()
  await has(before, 100)
  await before.stop()
  fixture.folder.append('a.log', lines(...range(100, 150)))
  fixture.folder.rename('a.log', 'a.log-20261123')
  fixture.folder.gzip('a.log-20261123')
  fixture.folder.write('a.log-20261124', lines(...range(150, 160)))
  fixture.folder.write('a.log', lines(...range(160, 170)))
  const bench = await fixture.files({}, before.positions())
  await has(bench, 70)
  assert.deepEqual(numbers(bench), range(100, 170))
  assert.equal(bench.metric('source_errors_total', { source: 'app', reason: 'gzip' }), 0)
})

test('a name with a date in it is a log of its own while no live file has its base', async () => {
  fixture.folder.write('app-2026-11-22.log', lines(1))
  const bench = await fixture.files()
  await has(bench, 1)
  fixture.folder.write('app-2026-11-23.log', 'line')
  await bench.until(() => bench.metric('files_open', { source: 'app' }) === 2, 'two files')
  // Longer than a rotated file's unfinished line would be waited for.
  await new Promise((resolve) => setTimeout(resolve, 250))
  fixture.folder.append('app-2026-11-23.log', ' 2\n')
  await has(bench, 2)
  assert.deepEqual(numbers(bench), [1, 2])
})

test('one file under several names is read once', async () => {
  fixture.folder.write('a.log', lines(1))
  linkSync(fixture.folder.path('a.log'), fixture.folder.path('b.log'))
  symlinkSync(fixture.folder.path('a.log'), fixture.folder.path('c.log'))
  const bench = await fixture.files({}, [], { once: true })
  await ended(bench)
  assert.deepEqual(numbers(bench), [1])
})

test('symlink loops under a recursive glob do not stop the search', async () => {
  fixture.folder.write('x/y/a.log', lines(1))
  symlinkSync(fixture.folder.root, fixture.folder.path('x/y/up'))
  symlinkSync('self', fixture.folder.path('self'))
  const bench = await fixture.files({ include: [fixture.folder.path('**/*.log')] }, [], { once: true })
  await ended(bench)
  assert.deepEqual(numbers(bench), [1])
})

test('a folder where a file is asked for by name is counted, and does not stop the others', async () => {
  mkdirSync(fixture.folder.path('dir.log'))
  fixture.folder.write('a.log', lines(1))
  const bench = await fixture.files(
    { include: [fixture.folder.path('dir.log'), fixture.folder.path('a.log')] },
    [],
    { once: true },
  )
  await ended(bench)
  assert.deepEqual(numbers(bench), [1])
  assert.equal(bench.metric('source_errors_total', { source: 'app', reason: 'EISDIR' }), 1)
})

test('excluded files are left out, gzip files that are asked for are unpacked', async () => {
  fixture.folder.write('a.log', lines(1))
  fixture.folder.write('b.log', lines(2))
  fixture.folder.write('c.log', lines(3))
  fixture.folder.gzip('c.log')
  const include = [fixture.folder.path('*.log'), fixture.folder.path('*.gz')]
  const bench = await fixture.files({ include, exclude: [fixture.folder.path('b.*')] }, [], { once: true })
  await ended(bench)
  assert.deepEqual(numbers(bench).sort(), [1, 3])
})

test('a file that appears and one that is replaced are found', async () => {
  const bench = await fixture.files()
  fixture.folder.write('a.log', lines(1))
  await has(bench, 1)
  fixture.folder.write('new', lines(2, 3))
  fixture.folder.rename('new', 'a.log')
  await has(bench, 3)
  assert.deepEqual(numbers(bench), [1, 2, 3])
  await bench.until(() => bench.closed.length === 1, 'the replaced file is let go')
})

test('a copy of the file beside it is not taken for its rotation', async () => {
  fixture.folder.write('a.log', lines(1))
  const bench = await fixture.files()
  await has(bench, 1)
  copyFileSync(fixture.folder.path('a.log'), fixture.folder.path('a.log.bak'))
  fixture.folder.append('a.log', lines(2))
  await has(bench, 2)
  assert.deepEqual(numbers(bench), [1, 2])
})

test('busy files do not starve a quiet one', async () => {
  const big = `${'x'.repeat(999)}\n`.repeat(20_000)
  fixture.folder.write('big.log', big)
  fixture.folder.write('small.log', lines(1))
  const bench = await fixture.files({}, [], { once: true })
  await ended(bench)
  const at = bench.slabs.findIndex((slab) => slab.path.endsWith('small.log'))
  assert.ok(at <= 1, `its turn came after ${at} slabs`)
  assert.ok(bench.slabs.length > 20)
})
