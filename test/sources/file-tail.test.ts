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
import { afterEach, beforeEach, test } from 'node:test'
import fc from 'fast-check'
import { fileSource } from '../../actors/sources/file.js'
import { fileSource as schema } from '../../protocol/config/sources.js'
import type { FilePosition } from '../../protocol/positions.js'
import { createBench, RECORDS, type Bench, type BenchOptions } from './bench.js'
import { logFolder, type LogFolder } from './folders.js'

let folder: LogFolder
let benches: Bench[] = []

beforeEach(() => {
  folder = logFolder()
})
afterEach(async () => {
  for (const bench of benches) await bench.stop()
  benches = []
  folder.remove()
})

async function source(
  options: Record<string, unknown> = {},
  positions?: readonly FilePosition[],
  bench: BenchOptions = {},
) {
  const made = createBench({ name: 'app', ...bench })
  benches.push(made)
  const quick = { poll: 10, rescan: 20, line_wait_max: 150 }
  const parsed = { ...schema.parse({ type: 'file', include: [folder.path('*.log')] }), ...quick, ...options }
  await made.start(fileSource(made.context, { name: 'app', options: parsed, records: RECORDS }), positions)
  return made
}

const has = (bench: Bench, count: number) =>
  bench.until(() => bench.lines().length >= count, `${count} lines`)
const ended = (bench: Bench) =>
  bench.until(() => bench.other.some((message) => message.type === 'end_of_input'), 'the end')
const lines = (...numbers: number[]): string => numbers.map((n) => `line ${n}\n`).join('')
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, n) => from + n)
const numbers = (bench: Bench): number[] => bench.lines().map((line) => Number(line.slice(5)))

test('what the operator states is split: place and pod win, the service fills a gap', async () => {
  folder.write('a.log', lines(1))
  const fields = {
    service_name: 'cart',
    namespace: 'shop',
    log_type: 'audit',
    labels: { env: 'prod' },
  } as const
  const bench = await source({
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
  folder.write('a.log', 'line 1\nline')
  const bench = await source()
  await has(bench, 1)
  folder.append('a.log', ' 2\nline ')
  await has(bench, 2)
  folder.append('a.log', '3\n')
  await has(bench, 3)
  assert.deepEqual(numbers(bench), [1, 2, 3])
})

test('copytruncate: a file shorter than its offset is read from its beginning, and counted', async () => {
  folder.write('a.log', lines(...range(0, 50)))
  const bench = await source()
  await has(bench, 50)
  truncateSync(folder.path('a.log'), 0)
  folder.append('a.log', lines(50))
  await has(bench, 51)
  assert.equal(bench.metric('files_truncated_total', { source: 'app' }), 1)
  assert.equal(bench.slabs.at(-1)?.offset, 0)
  assert.deepEqual(
    bench.closed.map(({ done }) => done),
    [true],
  )
})

test('copytruncate that grew beyond the offset between two looks is seen by its beginning', async () => {
  folder.write('a.log', lines(...range(0, 5)))
  const bench = await source()
  await has(bench, 5)
  writeFileSync(folder.path('a.log'), lines(...range(100, 120)))
  await has(bench, 25)
  assert.deepEqual(numbers(bench).slice(5), range(100, 120))
})

test('a file truncated during a downtime is read from its beginning', async () => {
  folder.write('a.log', lines(...range(0, 50)))
  const before = await source()
  await has(before, 50)
  await before.stop()
  writeFileSync(folder.path('a.log'), lines(...range(50, 60)))
  const bench = await source({}, before.positions())
  await has(bench, 10)
  assert.deepEqual(numbers(bench), range(50, 60))
})

test('logrotate renames: the old name is read to its end though no glob names it', async () => {
  folder.write('a.log', lines(0))
  folder.write('a.log.1', lines(999))
  const bench = await source()
  await has(bench, 1)
  folder.rename('a.log.1', 'a.log.2')
  folder.rename('a.log', 'a.log.1')
  folder.write('a.log', '')
  folder.append('a.log.1', lines(1))
  await has(bench, 2)
  folder.append('a.log', lines(2))
  await has(bench, 3)
  assert.deepEqual(numbers(bench), [0, 1, 2])
})

test('rotated twice between two looks: the file in between is read, older ones are not', async () => {
  folder.write('a.log', lines(0))
  folder.write('a.log.1', lines(999))
  utimesSync(folder.path('a.log.1'), 1_600_000_000, 1_600_000_000)
  const bench = await source({ rescan: 80 })
  await has(bench, 1)
  folder.rename('a.log.1', 'a.log.3')
  folder.rename('a.log', 'a.log.2')
  folder.write('a.log.1', lines(1, 2))
  folder.write('a.log', lines(3))
  await has(bench, 4)
  assert.deepEqual(numbers(bench), [0, 1, 2, 3])
})

test('rotated twice and packed during a downtime: it goes on where it was', async () => {
  folder.write('a.log', lines(...range(0, 100)))
  folder.write('a.log-20261101.gz', 'nothing of ours')
  const before = await source()
  await has(before, 100)
  await before.stop()
  folder.append('a.log', lines(...range(100, 150)))
  folder.rename('a.log', 'a.log-20261123')
  folder.gzip('a.log-20261123')
  folder.write('a.log-20261124', lines(...range(150, 160)))
  folder.write('a.log', lines(...range(160, 170)))
  const bench = await source({}, before.positions())
  await has(bench, 70)
  assert.deepEqual(numbers(bench), range(100, 170))
  assert.equal(bench.metric('source_errors_total', { source: 'app', reason: 'gzip' }), 0)
})

test('a name with a date in it is a log of its own while no live file has its base', async () => {
  folder.write('app-2026-11-22.log', lines(1))
  const bench = await source()
  await has(bench, 1)
  folder.write('app-2026-11-23.log', 'line')
  await bench.until(() => bench.metric('files_open', { source: 'app' }) === 2, 'two files')
  // Longer than a rotated file's unfinished line would be waited for.
  await new Promise((resolve) => setTimeout(resolve, 250))
  folder.append('app-2026-11-23.log', ' 2\n')
  await has(bench, 2)
  assert.deepEqual(numbers(bench), [1, 2])
})

test('one file under several names is read once', async () => {
  folder.write('a.log', lines(1))
  linkSync(folder.path('a.log'), folder.path('b.log'))
  symlinkSync(folder.path('a.log'), folder.path('c.log'))
  const bench = await source({}, [], { once: true })
  await ended(bench)
  assert.deepEqual(numbers(bench), [1])
})

test('symlink loops under a recursive glob do not stop the search', async () => {
  folder.write('x/y/a.log', lines(1))
  symlinkSync(folder.root, folder.path('x/y/up'))
  symlinkSync('self', folder.path('self'))
  const bench = await source({ include: [folder.path('**/*.log')] }, [], { once: true })
  await ended(bench)
  assert.deepEqual(numbers(bench), [1])
})

test('a folder where a file is asked for by name is counted, and does not stop the others', async () => {
  mkdirSync(folder.path('dir.log'))
  folder.write('a.log', lines(1))
  const bench = await source({ include: [folder.path('dir.log'), folder.path('a.log')] }, [], { once: true })
  await ended(bench)
  assert.deepEqual(numbers(bench), [1])
  assert.equal(bench.metric('source_errors_total', { source: 'app', reason: 'EISDIR' }), 1)
})

test('excluded files are left out, gzip files that are asked for are unpacked', async () => {
  folder.write('a.log', lines(1))
  folder.write('b.log', lines(2))
  folder.write('c.log', lines(3))
  folder.gzip('c.log')
  const include = [folder.path('*.log'), folder.path('*.gz')]
  const bench = await source({ include, exclude: [folder.path('b.*')] }, [], { once: true })
  await ended(bench)
  assert.deepEqual(numbers(bench).sort(), [1, 3])
})

test('a file that appears and one that is replaced are found', async () => {
  const bench = await source()
  folder.write('a.log', lines(1))
  await has(bench, 1)
  folder.write('new', lines(2, 3))
  folder.rename('new', 'a.log')
  await has(bench, 3)
  assert.deepEqual(numbers(bench), [1, 2, 3])
  await bench.until(() => bench.closed.length === 1, 'the replaced file is let go')
})

test('a copy of the file beside it is not taken for its rotation', async () => {
  folder.write('a.log', lines(1))
  const bench = await source()
  await has(bench, 1)
  copyFileSync(folder.path('a.log'), folder.path('a.log.bak'))
  folder.append('a.log', lines(2))
  await has(bench, 2)
  assert.deepEqual(numbers(bench), [1, 2])
})

test('busy files do not starve a quiet one', async () => {
  const big = `${'x'.repeat(999)}\n`.repeat(20_000)
  folder.write('big.log', big)
  folder.write('small.log', lines(1))
  const bench = await source({}, [], { once: true })
  await ended(bench)
  const at = bench.slabs.findIndex((slab) => slab.path.endsWith('small.log'))
  assert.ok(at <= 1, `its turn came after ${at} slabs`)
  assert.ok(bench.slabs.length > 20)
})

test('however lines are written and wherever it is stopped, every line comes once and in order', async () => {
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ do: fc.constant('append' as const), count: fc.integer({ min: 1, max: 40 }) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('rotate' as const), count: fc.constant(0) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('restart' as const), count: fc.constant(0) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('gzip' as const), count: fc.constant(0) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), count: fc.constant(0) }) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
      const logs = logFolder()
      const include = [logs.path('a.log')]
      let written = 0
      let rotations = 0
      let positions: FilePosition[] = []
      const got: number[] = []
      let bench: Bench | undefined
      const stop = async (): Promise<void> => {
        if (bench === undefined) return
        await bench.stop()
        got.push(...numbers(bench))
        positions = merged(positions, bench.positions())
        bench = undefined
      }
      logs.write('a.log', lines(written++))
      for (const { do: what, count } of [{ do: 'wait' as const, count: 0 }, ...steps]) {
        bench ??= await source({ include, poll: 2, rescan: 4, line_wait_max: 30 }, positions)
        if (what === 'append') logs.append('a.log', lines(...range(written, (written += count))))
        if (what === 'restart') await stop()
        if (what === 'wait') await has(bench, written - got.length)
        if (what === 'rotate') {
          logs.rename('a.log', `a.log-2026112300${String(rotations++).padStart(4, '0')}`)
          logs.write('a.log', lines(written++))
        }
        if (what === 'gzip' && rotations > 0) {
          const name = `a.log-2026112300${String(rotations - 1).padStart(4, '0')}`
          if ((await import('node:fs')).existsSync(logs.path(name))) logs.gzip(name)
        }
      }
      bench ??= await source({ include, poll: 2, rescan: 4, line_wait_max: 30 }, positions)
      await has(bench, written - got.length)
      await stop()
      logs.remove()
      assert.deepEqual(got, range(0, written))
    }),
    { numRuns: 25, seed: 20261123 },
  )
})

function merged(before: readonly FilePosition[], after: readonly FilePosition[]): FilePosition[] {
  return [...new Map([...before, ...after].map((position) => [position.key, position])).values()]
}
