// `millrace wal` tells the truth about a journal, repairs only what is broken, and keeps away from a running node's.
import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { walCommand } from '../../cli/wal.js'
import { systemClock } from '../../runtime/clock.js'
import type { Inspection } from '../../runtime/wal/inspect.js'
import { lockFolder } from '../../runtime/wal/lock.js'
import { open, readAll, tempFolder, watch } from './folder.js'
import { frame, position } from './frames.js'

const numbered = (n: number) =>
  frame(`f${n}`, [`{"n":${n}}`, `{"pad":"${'x'.repeat(300)}"}`], [position('a', n + 1)])

/** Runs the command in this process; what it prints, and the exit code it asks for. */
async function wal(test: TestContext, ...words: string[]): Promise<{ text: string; code: number }> {
  const printed: string[] = []
  const write = test.mock.method(process.stdout, 'write', (text: string) => printed.push(text) > 0)
  const before = process.exitCode
  process.exitCode = undefined
  try {
    await walCommand().exitOverride().parseAsync(words, { from: 'user' })
    return { text: printed.join(''), code: Number(process.exitCode ?? 0) }
  } finally {
    process.exitCode = before
    write.mock.restore()
  }
}

/** A data_dir with twelve frames of two records in two segments, and a cursor. */
async function prepare(test: TestContext): Promise<{ dataDir: string; folder: string; segments: string[] }> {
  const dataDir = await tempFolder(test)
  const folder = join(dataDir, 'journal')
  const journal = await open(folder, { segmentBytes: 5000 })
  for (let n = 0; n < 12; n++) await journal.append([numbered(n)])
  await journal.saveCursors(new Map([['es', { done: [[0, 10]] }]]))
  await journal.close()
  const segments = (await readdir(folder)).filter((name) => name.endsWith('.seg')).sort()
  return { dataDir, folder, segments: segments.map((name) => join(folder, name)) }
}

test('inspect counts frames, records, positions and lag, beside a running node too', async (t) => {
  const { dataDir, folder } = await prepare(t)
  const lock = await lockFolder({ folder, dataDir, clock: systemClock, epoch: 1 })
  const json = await wal(t, 'inspect', '--data-dir', dataDir, '--json', '--frames')
  const found = JSON.parse(json.text) as Inspection
  assert.equal(json.code, 0)
  assert.equal(found.runningPid, process.pid)
  assert.deepEqual([found.frames, found.records, found.tailSeq, found.segments.length], [12, 24, 12, 2])
  assert.deepEqual(found.cursors, [
    { backend: 'es', corrupt: false, end: 10, lagFrames: 2, lagRecords: 4, done: [[0, 10]] },
  ])
  assert.deepEqual(found.positions, [
    { source: 'pods', path: '/var/log/pods/a.log', offset: 12, done: false, carryBytes: 0 },
  ])
  assert.deepEqual(
    found.list?.map(({ id }) => id),
    Array.from({ length: 12 }, (_, n) => `f${n}`),
  )
  assert.equal(found.streams[0]?.frames, 12)
  const { text } = await wal(t, 'inspect', '--data-dir', dataDir)
  assert.match(text, /12 frames, 24 records/)
  assert.match(text, /es +2 +4 +seq 9/)
  lock.release()
})

test('fsck refuses while a node runs on the folder, and names a folder that is none', async (t) => {
  const { dataDir, folder } = await prepare(t)
  const lock = await lockFolder({ folder, dataDir, clock: systemClock, epoch: 1 })
  await assert.rejects(wal(t, 'fsck', '--data-dir', dataDir), { code: 'journal.locked' })
  await assert.rejects(wal(t, 'fsck', '--repair', '--data-dir', dataDir), { code: 'journal.locked' })
  lock.release()
  assert.equal((await wal(t, 'fsck', '--data-dir', dataDir)).code, 0)
  await assert.rejects(wal(t, 'fsck', '--data-dir', join(dataDir, 'nothing')), { code: 'usage.data_dir' })
})

test('fsck finds each bad place by segment and offset, repair keeps every whole frame under its number', async (t) => {
  const { dataDir, folder, segments } = await prepare(t)
  const [first, last] = segments as [string, string]
  const broken = await readFile(first)
  const at = broken.indexOf('{"n":3}')
  broken[at] = 0x58
  // The envelope of f5 and the snapshot of the last segment; a torn tail; a cursor.
  const envelope = broken.indexOf(Buffer.from([0xab, 0x4d, 0x52, 0x45]), broken.indexOf('{"n":4}'))
  broken[envelope + 9] = (broken[envelope + 9] as number) ^ 1
  await writeFile(first, broken)
  const torn = await readFile(last)
  torn[45] = (torn[45] as number) ^ 1
  await writeFile(last, torn.subarray(0, torn.length - 5))
  await writeFile(join(folder, 'es.cursor'), '{"v":1}')
  const checked = await wal(t, 'fsck', '--data-dir', dataDir, '--json')
  assert.equal(checked.code, 1)
  const result = JSON.parse(checked.text) as {
    places: { kind: string; id?: string; records?: number }[]
    corruptCursors: string[]
  }
  assert.deepEqual(
    result.places.map(({ kind, id, records }) => [kind, id, records]),
    [
      ['frame', 'f3', 2],
      ['envelope', 'f5', undefined],
      ['positions', undefined, undefined],
      ['torn_tail', undefined, undefined],
    ],
  )
  assert.deepEqual(result.corruptCursors, ['es'])
  const { text } = await wal(t, 'fsck', '--data-dir', dataDir)
  assert.match(
    text,
    /0000000000000000\.seg at \d+: \d+ unreadable bytes, 1 frame lost, the first is f3 with 2 records/,
  )
  const repaired = await wal(t, 'fsck', '--repair', '--data-dir', dataDir)
  assert.equal(repaired.code, 0)
  assert.match(repaired.text, /0000000000000000\.seg: rewritten\n.*\.seg: rewritten\nes\.cursor: removed/)
  assert.deepEqual([(await wal(t, 'fsck', '--data-dir', dataDir)).code], [0])
  const observer = watch()
  const journal = await open(folder, { observer })
  const expected = Array.from({ length: 11 }, (_, n) => [n, `f${n}`]).filter(([n]) => n !== 3)
  assert.deepEqual([...(await readAll(journal))], expected)
  assert.deepEqual(journal.positions('pods'), [position('a', 11)])
  assert.deepEqual(
    observer.places.map(({ kind, frames }) => [kind, frames]),
    [['missing', 1]],
  )
  await journal.close()
})

test('repair of a torn tail alone only cuts it', async (t) => {
  const { dataDir, segments } = await prepare(t)
  const last = segments[1] as string
  const whole = await readFile(last)
  await writeFile(last, Buffer.concat([whole, whole.subarray(whole.length - 50)]))
  const repaired = await wal(t, 'fsck', '--repair', '--data-dir', dataDir)
  assert.match(repaired.text, /torn tail of 50 bytes.*\n.*: cut\n/)
  assert.deepEqual(await readFile(last), whole)
})

test('a folder in the place of a file, and a file in the place of the journal, are named', async (t) => {
  for (const name of ['0000000000000000.seg', 'es.cursor']) {
    const { dataDir, folder } = await prepare(t)
    await rm(join(folder, name))
    await mkdir(join(folder, name))
    const refused = { code: 'journal.directory', message: new RegExp(`${name} is a folder`) }
    await assert.rejects(wal(t, 'fsck', '--data-dir', dataDir), refused)
    await assert.rejects(wal(t, 'inspect', '--data-dir', dataDir), refused)
  }
  const dataDir = await tempFolder(t)
  await writeFile(join(dataDir, 'journal'), '')
  const refused = { code: 'usage.data_dir', message: /is no folder/ }
  await assert.rejects(wal(t, 'fsck', '--data-dir', dataDir), refused)
})

/** What fsck says of the damage, what of the journal behind a repair. */
async function mended(t: TestContext, dataDir: string): Promise<string> {
  const found = await wal(t, 'fsck', '--data-dir', dataDir)
  assert.equal(found.code, 1, found.text)
  assert.equal((await wal(t, 'fsck', '--repair', '--data-dir', dataDir)).code, 0)
  const after = await wal(t, 'fsck', '--data-dir', dataDir)
  assert.deepEqual([after.code, /, sound$/m.test(after.text)], [0, true], after.text)
  return found.text
}

const LAST_SEQ = /([0-9a-f]{16})\.seg$/

test('the frames of a segment that is emptied or gone are named, also before the first one', async (t) => {
  const emptied = await prepare(t)
  const [first, last] = emptied.segments as [string, string]
  const next = Number.parseInt(LAST_SEQ.exec(last)?.[1] ?? '', 16)
  const bytes = await readFile(last)
  await writeFile(first, '')
  const text = await mended(t, emptied.dataDir)
  assert.match(text, new RegExp(`${next} frames are missing, seqs 0 to ${next - 1}:`))
  assert.match(text, new RegExp(`${next} lost, 2 bad places`))
  assert.deepEqual(await readFile(last), bytes)

  const gone = await prepare(t)
  const journal = await open(gone.folder)
  await journal.saveCursors(new Map([['es', { done: [[0, 2]] }]]))
  await journal.close()
  await rm(gone.segments[0] as string)
  assert.match(await mended(t, gone.dataDir), new RegExp(`frames are missing, seqs 2 to ${next - 1}:`))
})

test('without any segment fsck goes by the cursors, and a node counts what is lost behind a repair', async (t) => {
  const { dataDir, folder, segments } = await prepare(t)
  const journal = await open(folder)
  await journal.saveCursors(new Map([['loki', { done: [[0, 12]] }]]))
  await journal.close()
  for (const path of segments) await rm(path)
  assert.match(await mended(t, dataDir), /2 frames are missing, seqs 10 to 11:/)
  const again = await open(folder)
  assert.deepEqual([again.oldestSeq(), again.tailSeq()], [10, 12])
  await again.close()
})

test('a torn tail that a backend has acknowledged is no torn tail', async (t) => {
  const { dataDir, folder, segments } = await prepare(t)
  const journal = await open(folder)
  await journal.saveCursors(new Map([['es', { done: [[0, 12]] }]]))
  await journal.close()
  const last = segments[1] as string
  const whole = await readFile(last)
  await writeFile(last, whole.subarray(0, whole.length - 5))
  const text = await mended(t, dataDir)
  assert.match(text, /1 frame lost.*, seq 11$/m)
  assert.doesNotMatch(text, /torn tail/)
})
