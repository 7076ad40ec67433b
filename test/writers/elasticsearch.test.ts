// The Elasticsearch writer against the stand-in: what is acknowledged is stored, whatever the server does in between.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startElasticsearchStandIn } from '../stand-ins/elasticsearch.js'
import { frameId, makeFrame, recentRecords } from './frames.js'
import { startWriter } from './journal.js'

test('records arrive once, under their ids, byte for byte with the batch id', async () => {
  const es = await startElasticsearchStandIn()
  const writer = await startWriter({ type: 'elasticsearch', url: es.url })
  try {
    await writer.until('subscribe', () => writer.sent.some(({ type }) => type === 'subscribe'))
    const frames = [1, 2, 3].map((seq) => makeFrame(frameId(seq), recentRecords(500)))
    writer.send(1, frames[0]!)
    writer.send(2, frames[1]!, 'encoded')
    writer.send(3, frames[2]!)
    await writer.allDone(1, 2, 3)
    assert.deepEqual(writer.taken, [1, 3])
    const documents = es.documents()
    assert.equal(documents.size, 1500)
    for (const { id, lines } of frames) {
      for (const [n, line] of lines.entries()) {
        assert.equal(documents.get(`${id}-${n}`)?.toString(), `${line.slice(0, -1)},"batch_id":"${id}"}`)
      }
    }
    assert.equal(await writer.metric('write_records_total'), 1500)
  } finally {
    await writer.stop()
    await es.close()
  }
})
