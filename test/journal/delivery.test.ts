// Writers get every frame once: live first, gaps behind at a bounded rate, never more than their credit, whatever restarts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FrameMessage } from '../../protocol/messages.js'
import { frame, position } from './frames.js'
import { tempFolder } from './folder.js'
import { type JournalRun, run, until, writer } from './harness.js'

const seqs = (frames: readonly { readonly seq: number }[]) => frames.map(({ seq }) => seq)
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n)
const numbered = (n: number, pad = 0) =>
  frame(`f${n}`, [`{"n":${n},"pad":"${'x'.repeat(pad)}"}`], [position('a', n + 1)])

async function commit(journal: JournalRun, from: number, to: number, pad = 0): Promise<void> {
  for (let n = from; n < to; n++) {
    await until(() => journal.append(numbered(n, pad)))
    await until(() => journal.take('committed').length > 0)
  }
}

test('a caught-up writer gets frames from memory, in order, and slots come back once they are taken', async (t) => {
  const journal = await run(t, await tempFolder(t))
  const es = writer(journal, 'es')
  es.subscribe()
  await commit(journal, 0, 3)
  assert.equal(journal.slots.free(), 5)
  const frames = es.frames()
  assert.deepEqual(seqs(frames), [0, 1, 2])
  assert.ok(frames.every(({ slot, lane }) => slot !== undefined && lane === 'live'))
  assert.equal(journal.slots.free(), 8)
  es.done(frames)
  await journal.clock.advance(1000)
  const status = journal.take('status', 'supervisor').at(-1)
  assert.deepEqual(status?.detail['lag.es'], 0)
  assert.equal(status?.ready, true)
})

test('a frame stays in its slot until every caught-up writer has copied it', async (t) => {
  const journal = await run(t, await tempFolder(t), { writers: ['es', 'loki'] })
  const [es, loki] = [writer(journal, 'es'), writer(journal, 'loki')]
  es.subscribe()
  loki.subscribe()
  await commit(journal, 0, 1)
  es.frames()
  assert.equal(journal.slots.free(), 7)
  loki.frames()
  assert.equal(journal.slots.free(), 8)
})

test('what is not done comes again after a restart, from disk and byte for byte; what is done does not', async (t) => {
  const folder = await tempFolder(t)
  const first = await run(t, folder)
  const es = writer(first, 'es')
  es.subscribe()
  await commit(first, 0, 6)
  const frames = es.frames()
  es.done([frames[0], frames[1], frames[4]] as typeof frames)
  await first.stop()
  const second = await run(t, folder, { epoch: 2 })
  const again = writer(second, 'es')
  again.subscribe()
  const got: FrameMessage[] = []
  for (let n = 0; n < 3; n++) await until(() => (got.push(...again.frames()), got.length > n))
  assert.deepEqual(seqs(got), [2, 3, 5])
  assert.ok(got.every(({ lane, slot }) => lane === 'backfill' && slot === undefined))
  assert.deepEqual(got[0]?.encoded, numbered(2).encoded)
  assert.equal(got[0]?.rawBytes, numbered(2).raw.length)
})

test('undone frames in flight never exceed the credit, except a single frame that is larger', async (t) => {
  const journal = await run(t, await tempFolder(t))
  const es = writer(journal, 'es')
  const size = numbered(0, 1000).raw.length
  es.subscribe(size * 2 + 10)
  await commit(journal, 0, 5, 1000)
  const first = es.frames()
  assert.deepEqual(seqs(first), [0, 1])
  es.done(first.slice(0, 1))
  assert.deepEqual(seqs(es.frames()), [2])
  es.subscribe(10)
  const got: FrameMessage[] = []
  await until(() => (got.push(...es.frames()), got.length > 0))
  await journal.quiet()
  assert.deepEqual([...seqs(got), ...seqs(es.frames())], [1])
})

test('a writer that restarts gets its undone frames as a gap, and the slots it was lent come back', async (t) => {
  const journal = await run(t, await tempFolder(t))
  const es = writer(journal, 'es')
  es.subscribe()
  await commit(journal, 0, 4)
  // Killed before it copied anything.
  const lent = journal.take('frame', 'writer.es')
  assert.deepEqual(seqs(lent), [0, 1, 2, 3])
  assert.equal(journal.slots.free(), 4)
  es.subscribe()
  await until(
    () => journal.slots.free() === 8 || journal.sent.some(({ message }) => message.type === 'frame'),
  )
  const got: number[] = []
  await until(() => (got.push(...seqs(es.frames())), got.length === 4))
  assert.deepEqual(got, [0, 1, 2, 3])
  assert.equal(journal.slots.free(), 8)
})

test('after an outage live frames go on at the tail and the gap follows behind', async (t) => {
  const journal = await run(t, await tempFolder(t))
  const es = writer(journal, 'es')
  const size = numbered(0, 1000).raw.length
  es.subscribe(size * 3, size)
  await commit(journal, 0, 2, 1000)
  const before = es.frames()
  journal.tell({ type: 'outage', writer: 'es' }, 'writer.es')
  await commit(journal, 2, 8, 1000)
  assert.deepEqual(es.frames(), [])
  assert.equal(journal.slots.free(), 8)
  es.done(before)
  journal.tell({ type: 'recovered', writer: 'es' }, 'writer.es')
  await commit(journal, 8, 10, 1000)
  const lanes: Record<string, number[]> = { live: [], backfill: [] }
  await until(() => {
    for (const one of es.frames()) {
      lanes[one.lane]?.push(one.seq)
      es.done([one])
    }
    return lanes.live?.length === 2
  })
  // The burst of one credit window is spent; after that one frame a second.
  await journal.quiet()
  for (let second = 0; second < 10; second++) {
    await journal.clock.advance(1000)
    for (const one of es.frames()) {
      lanes[one.lane]?.push(one.seq)
      es.done([one])
    }
  }
  assert.deepEqual(lanes, { live: [8, 9], backfill: [2, 3, 4, 5, 6, 7] })
})

test('backfill keeps to its rate', async (t) => {
  const journal = await run(t, await tempFolder(t))
  const es = writer(journal, 'es')
  await commit(journal, 0, 12, 1000)
  const size = numbered(0, 1000).raw.length
  es.subscribe(size * 3, size * 2)
  const perSecond: number[] = []
  for (let second = 0; second < 4; second++) {
    let frames = 0
    for (let turn = 0; turn < 10; turn++) {
      await journal.quiet()
      const got = es.frames()
      frames += got.length
      es.done(got)
      await journal.clock.advance(100)
    }
    perSecond.push(frames)
  }
  assert.ok((perSecond[0] as number) <= 6, `burst of ${perSecond[0]}`)
  for (const frames of perSecond.slice(1)) assert.ok(frames <= 3, perSecond.join())
  assert.ok(perSecond.reduce((sum, frames) => sum + frames) >= 9)
})

test('a small gap goes at once while nothing live waits', async (t) => {
  const journal = await run(t, await tempFolder(t))
  await commit(journal, 0, 5)
  const es = writer(journal, 'es')
  es.subscribe(1 << 20, 1)
  const got: number[] = []
  await until(() => (got.push(...seqs(es.frames())), got.length === 5))
  assert.deepEqual(got, range(0, 5))
})

test('one delivery in eight is backfill while live frames wait all the time', async (t) => {
  const journal = await run(t, await tempFolder(t))
  await commit(journal, 0, 4, 1000)
  const es = writer(journal, 'es')
  es.subscribe(numbered(0, 1000).raw.length)
  const lanes: string[] = []
  const gap = () => lanes.filter((lane) => lane === 'backfill').length
  // The gap goes at first, since nothing live waits: stop that with one frame in hand.
  await until(() => journal.sent.some(({ message }) => message.type === 'frame'))
  const [held] = es.frames()
  let next = 4
  await commit(journal, next, next + 4, 1000)
  next += 4
  es.done([held as { seq: number }])
  for (let turn = 0; turn < 24; turn++) {
    const got: FrameMessage[] = []
    await until(() => (got.push(...es.frames()), got.length > 0))
    lanes.push(...got.map(({ lane }) => lane))
    await commit(journal, next, next + 1, 1000)
    next++
    es.done(got)
  }
  assert.equal(gap(), 3, lanes.join())
  assert.ok(lanes.lastIndexOf('backfill') - lanes.indexOf('backfill') >= 14, lanes.join())
})

test('a slow writer does not hold memory: frames are evicted and read back from disk', async (t) => {
  const journal = await run(t, await tempFolder(t), { writers: ['es', 'loki'] })
  const [es, loki] = [writer(journal, 'es'), writer(journal, 'loki')]
  es.subscribe(1)
  loki.subscribe()
  const fast: number[] = []
  for (let n = 0; n < 30; n++) {
    await commit(journal, n, n + 1)
    const got = loki.frames()
    fast.push(...seqs(got))
    loki.done(got)
    // A frame waits in memory for a moment before the slow writer is sent to the disk.
    await journal.clock.advance(200)
    assert.ok(journal.slots.free() >= 2, `${journal.slots.free()} free after ${n}`)
  }
  assert.deepEqual(fast, range(0, 30))
  const slow: number[] = []
  await until(() => {
    const got = es.frames()
    slow.push(...seqs(got))
    es.done(got)
    return slow.length === 30
  })
  assert.deepEqual(slow, range(0, 30))
})

test('frames that only carry positions are done for everybody and delivered to nobody', async (t) => {
  const folder = await tempFolder(t)
  const journal = await run(t, folder)
  const es = writer(journal, 'es')
  es.subscribe()
  journal.append(frame('empty', [], [position('a', 42)]))
  await until(() => journal.take('committed').length > 0)
  assert.deepEqual(es.frames(), [])
  assert.equal(journal.slots.free(), 8)
  journal.tell({ type: 'positions_wanted', source: 'pods', replyTo: 'source.pods' })
  assert.deepEqual(journal.take('positions', 'source.pods')[0]?.positions, [position('a', 42)])
  journal.tell({ type: 'end_of_input' })
  assert.equal(journal.take('idle').length, 1)
})

test('the end of a run is told once the last backend has the last frame, not before', async (t) => {
  const journal = await run(t, await tempFolder(t), { writers: ['es', 'loki'] })
  const [es, loki] = [writer(journal, 'es'), writer(journal, 'loki')]
  es.subscribe()
  loki.subscribe()
  journal.append(numbered(0))
  journal.tell({ type: 'end_of_input' })
  await until(() => journal.take('committed').length > 0)
  es.done(es.frames())
  assert.deepEqual(journal.take('idle'), [])
  loki.done(loki.frames())
  assert.deepEqual(journal.take('idle'), [{ type: 'idle', actor: 'journal', idle: true }])
})

test('a writer is told the end with the last frame, so that it does not wait for more; one that begins anew is told again', async (t) => {
  const journal = await run(t, await tempFolder(t), { writers: ['es', 'loki'] })
  const es = writer(journal, 'es')
  es.subscribe()
  journal.append(numbered(0))
  journal.tell({ type: 'end_of_input' })
  assert.deepEqual(journal.take('end_of_input'), [])
  await until(() => es.frames().length === 1)
  assert.equal(journal.take('end_of_input', 'writer.es').length, 1)
  assert.equal(journal.take('end_of_input', 'writer.loki').length, 0)
  es.subscribe()
  await until(() => es.frames().length === 1)
  assert.equal(journal.take('end_of_input', 'writer.es').length, 1)
})

test('positions are answered only when everything appended before is durable', async (t) => {
  const journal = await run(t, await tempFolder(t), { settings: { commit_wait: 1000 } })
  journal.append(numbered(0))
  journal.tell({ type: 'ingest_started', epoch: 2 })
  journal.tell({ type: 'positions_wanted', source: 'pods', replyTo: 'source.pods' })
  assert.deepEqual(journal.take('positions'), [])
  let answer: unknown
  await until(() => (answer = journal.take('positions')[0]?.positions) !== undefined)
  assert.deepEqual(answer, [position('a', 1)])
})

test('slots and frames of an ended ingest chain are taken back, queued ones are still written', async (t) => {
  const journal = await run(t, await tempFolder(t), { settings: { commit_wait: 1000 } })
  assert.ok(journal.slots.acquire(1) >= 0)
  assert.ok(journal.append(numbered(0), 1))
  assert.equal(journal.slots.free(), 6)
  journal.tell({ type: 'ingest_started', epoch: 2 })
  assert.equal(journal.slots.free(), 7)
  // A straggler of the dead chain: its slot may already be filled by the new one.
  const slot = journal.slots.acquire(2)
  journal.tell({ type: 'append', slot, rawBytes: 1, encodedBytes: 1, epoch: 1 })
  await journal.clock.advance(1000)
  const committed: unknown[] = []
  await until(() => (committed.push(...journal.take('committed')), committed.length > 0))
  assert.deepEqual(committed, [{ type: 'committed', frames: 1, epoch: 1 }])
  assert.equal(journal.slots.free(), 7)
  assert.deepEqual(journal.failures, [])
})
