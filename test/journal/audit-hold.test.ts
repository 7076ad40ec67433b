// The journal and the audit: frames are handed over once all backends have them, and their segments stay until they are checked.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tempFolder } from './folder.js'
import { frame, position } from './frames.js'
import { type JournalRun, run, until, writer } from './harness.js'

const numbered = (n: number) =>
  frame(`f${n}`, [`{"n":${n}}`, `{"pad":"${'x'.repeat(3000)}"}`], [position('a', n + 1)])

async function append(journal: JournalRun, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) {
    await until(() => journal.append(numbered(n)))
    await journal.quiet()
  }
}

/** Frames that were handed to the auditor since the last call. */
async function handed(journal: JournalRun): Promise<number[]> {
  await journal.clock.advance(600)
  await journal.quiet()
  return journal.take('audit_frames', 'auditor').flatMap(({ frames }) => frames.map(({ seq }) => seq))
}

const SMALL = { segment_bytes: 10_000 }
const FAR = 1 << 30

test('a frame is handed over once, when the last backend has it, with its figures', async (t) => {
  const journal = await run(t, await tempFolder(t), { writers: ['es', 'loki'], holdBytesMax: FAR })
  const [es, loki] = [writer(journal, 'es'), writer(journal, 'loki')]
  es.subscribe()
  loki.subscribe()
  journal.tell({ type: 'audit_open', room: 10, waiting: [] }, 'auditor')
  await append(journal, 0, 3)
  await journal.quiet()
  const frames = es.frames()
  es.done(frames)
  assert.deepEqual(await handed(journal), [])
  loki.frames()
  loki.done([{ seq: 1 }])
  await journal.clock.advance(600)
  await journal.quiet()
  const [message] = journal.take('audit_frames', 'auditor')
  assert.deepEqual(
    message?.frames.map(({ seq, id, count }) => [seq, id, count]),
    [[1, 'f1', 2]],
  )
  loki.done([{ seq: 0 }, { seq: 2 }])
  assert.deepEqual(await handed(journal), [0, 2])
  assert.deepEqual(await handed(journal), [])
})

test('segments that all backends have passed stay until their frames are checked, and then go', async (t) => {
  const journal = await run(t, await tempFolder(t), { settings: SMALL, holdBytesMax: FAR })
  const es = writer(journal, 'es')
  es.subscribe()
  journal.tell({ type: 'audit_open', room: 100, waiting: [] }, 'auditor')
  for (let n = 0; n < 12; n++) {
    await append(journal, n, n + 1)
    es.done(es.frames())
    await journal.quiet()
  }
  const seqs = await handed(journal)
  assert.equal(seqs.length, 12)
  journal.tell({ type: 'audit_queued', seqs, room: 88 }, 'auditor')
  await journal.clock.advance(2000)
  await journal.quiet()
  const held = journal.metrics.get('journal_segments{}') ?? 0
  assert.ok(held > 3, `${held} segments are held`)
  journal.tell({ type: 'frame_wanted', seq: 0, replyTo: 'auditor' }, 'auditor')
  await until(() => journal.sent.some(({ message }) => message.type === 'frame_copy'))
  assert.deepEqual(journal.take('frame_copy', 'auditor')[0]?.encoded?.length, numbered(0).encoded.length)
  journal.tell({ type: 'audited', seqs }, 'auditor')
  await journal.clock.advance(2000)
  await journal.quiet()
  assert.ok((journal.metrics.get('journal_segments{}') ?? 0) <= 1)
  assert.equal(journal.metrics.get('audit_released_frames_total{queued}'), undefined)
  journal.tell({ type: 'frame_wanted', seq: 0, replyTo: 'auditor' }, 'auditor')
  await until(() => journal.sent.some(({ message }) => message.type === 'frame_copy'))
  assert.equal(journal.take('frame_copy', 'auditor')[0]?.encoded, undefined)
})

test('after a restart only what was not durable in the queue is handed over again', async (t) => {
  const folder = await tempFolder(t)
  const first = await run(t, folder, { holdBytesMax: FAR })
  const es = writer(first, 'es')
  es.subscribe()
  first.tell({ type: 'audit_open', room: 100, waiting: [] }, 'auditor')
  await append(first, 0, 6)
  await first.quiet()
  es.done(es.frames())
  assert.equal((await handed(first)).length, 6)
  first.tell({ type: 'audit_queued', seqs: [0, 1, 4], room: 97 }, 'auditor')
  await first.clock.advance(1000)
  await first.quiet()
  await first.stop()
  const second = await run(t, folder, { holdBytesMax: FAR })
  second.tell({ type: 'audit_open', room: 2, waiting: [0, 1, 4] }, 'auditor')
  assert.deepEqual(await handed(second), [2, 3], 'no more than there is room for')
  second.tell({ type: 'audit_queued', seqs: [2, 3], room: 100 }, 'auditor')
  assert.deepEqual(await handed(second), [5])
  second.tell({ type: 'audit_open', room: 100, waiting: [0, 1, 2, 3] }, 'auditor')
  assert.deepEqual(
    await handed(second),
    [4, 5],
    'what is not in its queue any more, and was not confirmed, comes again',
  )
})

test('above hold_bytes the oldest go unchecked, counted; sources never wait for the audit', async (t) => {
  const journal = await run(t, await tempFolder(t), {
    settings: { bytes_max: 60_000, ...SMALL },
    holdBytesMax: 25_000,
  })
  const es = writer(journal, 'es')
  es.subscribe()
  journal.tell({ type: 'audit_open', room: 100, waiting: [] }, 'auditor')
  for (let n = 0; n < 60; n++) {
    await append(journal, n, n + 1)
    es.done(es.frames())
    await journal.clock.advance(300)
    await journal.quiet()
  }
  es.done(es.frames())
  const released = journal.metrics.get('audit_released_frames_total{never_queued}') ?? 0
  assert.ok(released > 30, `${released} frames left unchecked`)
  assert.ok((journal.metrics.get('journal_bytes{}') ?? 0) < 45_000)
  assert.equal(
    journal.take('status').some(({ ready }) => !ready),
    false,
  )
})

test('at bytes_max what is held for the audit goes first: nothing blocks', async (t) => {
  const journal = await run(t, await tempFolder(t), {
    settings: { bytes_max: 40_000, ...SMALL },
    holdBytesMax: FAR,
  })
  const es = writer(journal, 'es')
  es.subscribe()
  for (let n = 0; n < 40; n++) {
    await append(journal, n, n + 1)
    await journal.quiet()
    es.done(es.frames())
    await journal.clock.advance(300)
  }
  assert.equal(
    journal.take('status').some(({ ready }) => !ready),
    false,
  )
  assert.ok((journal.metrics.get('audit_released_frames_total{never_queued}') ?? 0) > 10)
})
