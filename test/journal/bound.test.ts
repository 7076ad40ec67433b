// The journal at its bound and on a disk that refuses: nothing is acknowledged that is not stored, nothing is given up uncounted.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { nodeFiles, type WalFiles } from '../../runtime/wal/files.js'
import { tempFolder } from './folder.js'
import { frame, position } from './frames.js'
import { type JournalRun, run, until, writer } from './harness.js'

const numbered = (n: number) =>
  frame(`f${n}`, [`{"n":${n}}`, `{"pad":"${'x'.repeat(3000)}"}`], [position('a', n + 1)])

/** Appends until the journal does not take more; returns how many frames were committed. */
async function fill(journal: JournalRun, from: number, framesMax: number): Promise<number> {
  let committed = 0
  for (let n = from; n < from + framesMax; n++) {
    if (!journal.append(numbered(n))) break
    await journal.quiet()
    await until(() => journal.slots.free() > 0 || journal.take('status').some(({ ready }) => !ready))
    committed += journal.take('committed').reduce((sum, { frames }) => sum + frames, 0)
  }
  return committed
}

test('block: at the bound nothing more is taken, the status says why and how to get out, and it goes on by itself', async (t) => {
  const journal = await run(t, await tempFolder(t), {
    settings: { bytes_max: 40_000, segment_bytes: 10_000 },
  })
  const committed = await fill(journal, 0, 40)
  assert.ok(committed >= 9 && committed <= 12, `${committed}`)
  assert.equal(journal.slots.free(), 0)
  await journal.clock.advance(1000)
  const status = journal.take('status').at(-1)
  assert.equal(status?.ready, false)
  assert.match(status?.reason ?? '', /bytes_max reached.*es is \d+ frames behind.*drop_oldest/)
  const es = writer(journal, 'es')
  es.subscribe()
  const seen: number[] = []
  for (let turn = 0; turn < 200 && seen.length < committed + 8; turn++) {
    await journal.clock.advance(300)
    const got = es.frames()
    seen.push(...got.map(({ seq }) => seq))
    es.done(got)
  }
  assert.deepEqual(
    seen,
    Array.from({ length: committed + 8 }, (_, n) => n),
  )
  await journal.clock.advance(1000)
  assert.equal(journal.take('status').at(-1)?.ready, true)
  assert.equal(journal.metrics.get('journal_dropped_records_total{es}'), undefined)
})

test('a bound that is smaller than a frame slows down but never stops for ever', async (t) => {
  const journal = await run(t, await tempFolder(t), { settings: { bytes_max: 4_000, segment_bytes: 1_000 } })
  const es = writer(journal, 'es')
  es.subscribe()
  for (let n = 0; n < 5; n++) assert.ok(journal.append(numbered(n)))
  const seen: number[] = []
  for (let turn = 0; turn < 60 && seen.length < 5; turn++) {
    await journal.clock.advance(300)
    const got = es.frames()
    seen.push(...got.map(({ seq }) => seq))
    es.done(got)
  }
  assert.deepEqual(seen, [0, 1, 2, 3, 4])
})

test('drop_oldest: the oldest segment goes, each backend is charged only what it had not got', async (t) => {
  const folder = await tempFolder(t)
  const settings = { bytes_max: 40_000, segment_bytes: 10_000, at_bound: 'drop_oldest' as const }
  const journal = await run(t, folder, { settings, writers: ['es', 'loki'] })
  const es = writer(journal, 'es')
  es.subscribe()
  let committed = 0
  for (let n = 0; n < 40; n++) {
    await until(() => journal.append(numbered(n)))
    await until(() => (committed += journal.take('committed').length) > n)
    es.done(es.frames())
    await journal.clock.advance(10)
  }
  assert.equal(journal.metrics.get('journal_dropped_records_total{es}'), undefined)
  const dropped = journal.metrics.get('journal_dropped_records_total{loki}') ?? 0
  const loki = writer(journal, 'loki')
  loki.subscribe()
  const seen: number[] = []
  await until(() => (seen.push(...loki.frames().map(({ seq }) => seq)), seen.at(-1) === 39))
  // Two records a frame: what was dropped and what still comes add up.
  assert.equal(dropped / 2 + seen.length, 40)
  assert.ok(seen.length >= 6 && seen.length <= 14, `${seen.length}`)
  const bytes = journal.metrics.get('journal_bytes{}') ?? 0
  assert.ok(bytes <= 50_000, `${bytes}`)
})

/** Operations of one kind fail while `failing` holds a code. */
function failingFiles(kind: 'write' | 'datasync'): { files: WalFiles; fail(code: string | undefined): void } {
  let failing: string | undefined
  const files: WalFiles = {
    ...nodeFiles,
    async open(path, how) {
      const file = await nodeFiles.open(path, how)
      const guard = () => {
        if (failing !== undefined && path.includes('.seg'))
          throw Object.assign(new Error(`${failing}: test`), { code: failing })
      }
      return {
        ...file,
        async write(parts, position) {
          if (kind === 'write' && failing !== undefined)
            await file.write([(parts[0] as Uint8Array).subarray(0, 7)], position)
          if (kind === 'write') guard()
          return file.write(parts, position)
        },
        async datasync() {
          if (kind === 'datasync') guard()
          return file.datasync()
        },
      }
    },
  }
  return { files, fail: (code) => void (failing = code) }
}

for (const [kind, code] of [
  ['write', 'ENOSPC'],
  ['write', 'EIO'],
  ['datasync', 'EIO'],
] as const) {
  test(`${code} in ${kind}: nothing is acknowledged, the status names it, the same frames are written once it works`, async (t) => {
    const folder = await tempFolder(t)
    const { files, fail } = failingFiles(kind)
    const journal = await run(t, folder, { files })
    journal.append(numbered(0))
    await until(() => journal.take('committed').length === 1)
    fail(code)
    journal.append(numbered(1))
    journal.append(numbered(2))
    await until(() =>
      journal.take('status').some(({ ready, reason }) => !ready && reason?.includes(code) === true),
    )
    for (let second = 0; second < 5; second++) await journal.clock.advance(1000)
    assert.deepEqual(journal.take('committed'), [])
    assert.ok((journal.metrics.get(`journal_errors_total{${code}}`) ?? 0) >= 3)
    fail(undefined)
    await journal.clock.advance(5000)
    await until(() => journal.take('committed').some(({ frames }) => frames === 2))
    assert.equal(journal.take('status').at(-1)?.ready, true)
    await journal.stop()
    const again = await run(t, folder, { epoch: 2 })
    const es = writer(again, 'es')
    es.subscribe()
    const seen: number[] = []
    await until(() => (seen.push(...es.frames().map(({ seq }) => seq)), seen.length === 3))
    assert.deepEqual(seen, [0, 1, 2])
    assert.equal(again.metrics.get('journal_corrupt_total{torn_tail}'), undefined)
  })
}

/** A file system of 1 MiB; undefined where this user may not mount one. */
async function smallDisk(test: TestContext): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-small-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    await rm(folder, { recursive: true })
    return undefined
  }
  test.after(async () => {
    execFileSync('umount', [folder], { stdio: 'ignore' })
    await rm(folder, { recursive: true })
  })
  return folder
}

test('a disk that is really full: frames wait, torn bytes are cut, and it goes on when there is room', async (t) => {
  const folder = await smallDisk(t)
  if (folder === undefined) return t.skip('mounting a tmpfs needs root')
  const journal = await run(t, folder, { settings: { segment_bytes: 4_000_000 } })
  let committed = 0
  const count = () => (committed += journal.take('committed').reduce((sum, { frames }) => sum + frames, 0))
  journal.append(numbered(0))
  await until(() => count() === 1)
  const ballast = join(folder, 'ballast')
  await writeFile(ballast, Buffer.alloc(900_000))
  let appended = 1
  let full = false
  const look = () =>
    (full ||= journal
      .take('status')
      .some(({ ready, reason }) => !ready && /ENOSPC.*free disk space/.test(reason ?? '')))
  while (appended < 60 && !full) {
    await until(() => (journal.append(numbered(appended)) && ++appended > 0) || look())
  }
  await until(look)
  const before = count()
  assert.ok(before < appended)
  const segment = await stat(join(folder, 'journal', '0000000000000000.seg'))
  assert.ok(segment.size > 0)
  await rm(ballast)
  for (let second = 0; second < 6; second++) await journal.clock.advance(1000)
  await until(() => count() === appended)
  await journal.stop()
  const again = await run(t, folder, { epoch: 2 })
  assert.equal(again.metrics.get('journal_corrupt_total{torn_tail}'), undefined)
  await again.clock.advance(1000)
  assert.equal(again.take('status').at(-1)?.detail['lag.es'], appended)
  await again.stop()
})
