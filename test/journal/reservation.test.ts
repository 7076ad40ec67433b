// A frame that was handed to a writer is known to have been, whenever the machine stops: it comes again marked as suspect.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { FrameMessage } from '../../protocol/messages.js'
import { createCrashDisk, type CrashDisk } from './crash-disk.js'
import { open, tempFolder } from './folder.js'
import { frame, position } from './frames.js'
import { type JournalRun, run, until, writer } from './harness.js'

const FRAMES = 200
const numbered = (n: number) => frame(`f${n}`, [`{"n":${n}}`], [position('a', n + 1)])

/** A journal of frames that nobody has got yet. */
async function filled(dataDir: string, sent?: readonly (readonly [number, number])[]): Promise<CrashDisk> {
  const disk = createCrashDisk()
  const wal = await open(join(dataDir, 'journal'), { files: disk.files })
  await wal.append(Array.from({ length: FRAMES }, (_, n) => numbered(n)))
  if (sent !== undefined) await wal.saveCursors(new Map([['es', { done: [], sent }]]))
  await wal.close()
  return disk
}

/** Takes frames, and calls every third done, until all have come or the disk has stopped. */
async function deliver(journal: JournalRun, disk: CrashDisk): Promise<FrameMessage[]> {
  const es = writer(journal, 'es')
  const got: FrameMessage[] = []
  // A machine that has stopped sends nothing more.
  const { sent } = journal
  sent.push = (...messages) => (disk.crashed() ? 0 : Array.prototype.push.apply(sent, messages))
  es.subscribe()
  while (got.length < FRAMES && !disk.crashed()) {
    const frames = es.frames()
    es.done(frames.filter(({ seq }) => seq % 3 === 0))
    got.push(...frames)
    await journal.clock.advance(10)
    await journal.quiet()
  }
  got.push(...es.frames())
  return got
}

test('a crash at any file operation leaves no frame that was sent without its mark', async (t) => {
  const dataDir = await tempFolder(t)
  const base = await filled(dataDir, [])
  let crashes = 0
  for (let at = 0; ; at++) {
    const disk = base.restart(() => 0.999, { at, what: 'crash' })
    const first = await run(t, dataDir, { files: disk.files }).catch(() => undefined)
    const sent = first === undefined ? [] : await deliver(first, disk)
    await first?.stop().catch(() => undefined)
    if (!disk.crashed()) break
    crashes++
    let seed = at
    const after = disk.restart(() => ((seed = (seed * 16807 + 11) % 2147483647) % 1000) / 1000)
    const second = await run(t, dataDir, { files: after.files, epoch: 2 })
    const es = writer(second, 'es')
    const known = new Set(sent.map(({ seq }) => seq))
    const again: FrameMessage[] = []
    es.subscribe()
    await until(() => (again.push(...es.frames()), again.some(({ seq }) => seq === FRAMES - 1)))
    for (const { seq, suspect } of again)
      if (known.has(seq)) assert.equal(suspect, true, `crash at ${at}: frame ${seq} was sent before`)
    const others = again.filter(({ seq, suspect }) => suspect === true && !known.has(seq))
    assert.ok(others.length <= 128, `crash at ${at}: ${others.length} suspect that never were sent`)
    await second.stop()
  }
  assert.ok(crashes > 15, `${crashes}`)
})

test('a cursor from before reservations makes everything suspect that is not done', async (t) => {
  const dataDir = await tempFolder(t)
  const disk = await filled(dataDir)
  const got = await deliver(await run(t, dataDir, { files: disk.files }), disk)
  assert.equal(got.filter(({ suspect }) => suspect === true).length, FRAMES)
})

test('a writer that starts anew gets as suspect what it had in its hands, and nothing else', async (t) => {
  const journal = await run(t, await tempFolder(t))
  const es = writer(journal, 'es')
  es.subscribe()
  for (let n = 0; n < 3; n++) await until(() => journal.append(numbered(n)))
  const first: FrameMessage[] = []
  await until(() => (first.push(...es.frames()), first.length === 3))
  assert.ok(first.every(({ suspect }) => suspect === undefined))
  es.done(first.slice(0, 1))
  es.subscribe()
  await until(() => journal.append(numbered(3)))
  const again: FrameMessage[] = []
  await until(() => (again.push(...es.frames()), again.length === 3))
  assert.deepEqual(
    again.map(({ seq, suspect }) => [seq, suspect === true] as const).toSorted(([a], [b]) => a - b),
    [
      [1, true],
      [2, true],
      [3, false],
    ],
  )
})
