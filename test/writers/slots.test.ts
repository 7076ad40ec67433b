// What a writer copies out of shared memory is the frame that it was told of, or it is not sent: never another's records under its ids.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startElasticsearchStandIn } from '../stand-ins/elasticsearch.js'
import { frameId, makeFrame, recentRecords } from './frames.js'
import { startWriter } from './journal.js'

async function scene() {
  const es = await startElasticsearchStandIn()
  const writer = await startWriter({ type: 'elasticsearch', url: es.url })
  await writer.until('subscribe', () => writer.sent.some(({ type }) => type === 'subscribe'))
  return { es, writer, close: () => writer.stop().then(es.close) }
}

test('a slot that was filled again before it was copied ends the writer, and nothing of it is sent or given up', async (t) => {
  const { es, writer, close } = await scene()
  t.after(close)
  const other = makeFrame(frameId(2), recentRecords(5))
  assert.throws(() => writer.send(1, other, 'refilled'), { code: 'writer.slot' })
  assert.deepEqual(writer.taken, [])
  writer.send(2, makeFrame(frameId(3), recentRecords(1)), 'encoded')
  await writer.allDone(2)
  assert.equal(es.documents().size, 1)
  assert.ok(!writer.done.has(1))
})

test('a slot that holds no frame any more ends the writer: it is no corrupt frame, which would be given up', async (t) => {
  const { writer, close } = await scene()
  t.after(close)
  const sizes = { rawBytes: 100, encodedBytes: 100 }
  const frame = {
    type: 'frame',
    session: 1,
    seq: 1,
    lane: 'live',
    slot: 0,
    generation: -1,
    ...sizes,
  } as const
  assert.throws(() => writer.message(frame), { code: 'writer.slot' })
  assert.equal(await writer.metric('journal_corrupt_total'), 0)
})

test('a frame that was meant for an earlier life of the writer is left alone: it is not lent to this one', async (t) => {
  const { writer, close } = await scene()
  t.after(close)
  const sizes = { rawBytes: 100, encodedBytes: 100 }
  writer.message({ type: 'frame', session: 0, seq: 1, lane: 'live', slot: 0, generation: 0, ...sizes })
  writer.send(2, makeFrame(frameId(2), recentRecords(1)))
  await writer.allDone(2)
  assert.deepEqual(writer.taken, [2])
})
