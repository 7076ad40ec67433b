// An outage of a backend: the breaker opens, the journal is told, the node says degraded, and afterwards everything is there.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startElasticsearchStandIn } from '../stand-ins/elasticsearch.js'
import { startLokiStandIn } from '../stand-ins/loki.js'
import { frameId, makeFrame, recentRecords } from './frames.js'
import { startWriter } from './journal.js'

test('the breaker opens on an outage, says so once, and closes by itself when the backend is back', async () => {
  const es = await startElasticsearchStandIn()
  const writer = await startWriter({ type: 'elasticsearch', url: es.url })
  try {
    await writer.until('subscribe', () => writer.sent.some(({ type }) => type === 'subscribe'))
    es.setFaults({ status: 503 })
    const frame = makeFrame(frameId(1), recentRecords(50))
    writer.send(1, frame)
    await writer.until('outage', () => writer.sent.some(({ type }) => type === 'outage'))
    assert.equal(await writer.metric('breaker_open'), 1)
    await writer.until('degraded', () => writer.status()?.reason?.startsWith('test: ') === true)
    assert.equal(writer.status()?.ready, true)
    const { bulks } = es.stats
    es.setFaults({})
    await writer.allDone(1)
    await writer.until('recovered', () => writer.sent.some(({ type }) => type === 'recovered'))
    // Half-open there was one probe, and it was the batch itself.
    assert.equal(es.stats.bulks, bulks + 1)
    assert.equal(await writer.metric('breaker_open'), 0)
    assert.ok((await writer.metric('write_failed_total')) >= 5)
    const events = writer.logs.flatMap(({ event, level }) => (event === undefined ? [] : [[event, level]]))
    assert.deepEqual(events, [
      ['backend_down', 50],
      ['backend_back', 50],
    ])
    assert.deepEqual(writer.sent.filter(({ type }) => type === 'outage' || type === 'recovered').length, 2)
    await writer.until('well again', () => writer.status()?.reason === undefined)
  } finally {
    await writer.stop()
    await es.close()
  }
})

test('a backend that is not there at start is waited for, and the node is told', async () => {
  const closed = await startElasticsearchStandIn()
  const { port } = new URL(closed.url)
  await closed.close()
  const writer = await startWriter({ type: 'elasticsearch', url: closed.url })
  let es: Awaited<ReturnType<typeof startElasticsearchStandIn>> | undefined
  try {
    await writer.until('degraded', () => writer.status()?.reason !== undefined)
    assert.equal(writer.status()?.ready, true)
    assert.ok(!writer.sent.some(({ type }) => type === 'subscribe'))
    es = await startElasticsearchStandIn({ port: Number(port) })
    await writer.until('subscribe', () => writer.sent.some(({ type }) => type === 'subscribe'))
    writer.send(1, makeFrame(frameId(1), recentRecords(5)))
    await writer.allDone(1)
    assert.equal(es.count(), 5)
  } finally {
    await writer.stop()
    await es?.close()
  }
})

test('one backend down does not touch the other', async () => {
  const es = await startElasticsearchStandIn({ faults: { reset: true, on: 'all' } })
  const loki = await startLokiStandIn()
  const down = await startWriter({ type: 'elasticsearch', url: es.url })
  const up = await startWriter({ type: 'loki', url: loki.url })
  try {
    for (let seq = 1; seq <= 5; seq++) {
      const frame = makeFrame(frameId(seq), recentRecords(100))
      up.send(seq, frame)
      down.send(seq, frame)
    }
    await up.allDone(1, 2, 3, 4, 5)
    assert.equal(loki.count(), 500)
    assert.equal(down.done.size, 0)
    es.setFaults({})
    await down.allDone(1, 2, 3, 4, 5)
    assert.equal(es.count(), 500)
  } finally {
    await down.stop()
    await up.stop()
    await loki.close()
    await es.close()
  }
})

test('stopping in the middle of an outage ends, acknowledges nothing, and a new writer stores all once', async () => {
  const es = await startElasticsearchStandIn({ faults: { hang: true, stored: true } })
  const first = await startWriter({ type: 'elasticsearch', url: es.url, timeout: 60_000 })
  const frame = makeFrame(frameId(1), recentRecords(100))
  first.send(1, frame)
  await first.until('the request is at the server', () => es.stats.stored === 100)
  await first.stop()
  assert.equal(first.done.size, 0)
  es.setFaults({})
  const second = await startWriter({ type: 'elasticsearch', url: es.url })
  try {
    second.send(1, frame)
    await second.allDone(1)
    assert.equal(es.count(), 100)
    assert.equal(es.stats.conflicts, 100)
  } finally {
    await second.stop()
    await es.close()
  }
})

test('a frame that is delivered twice while it is owed is acknowledged once', async () => {
  const es = await startElasticsearchStandIn({ faults: { status: 503, requests: 2 } })
  const writer = await startWriter({ type: 'elasticsearch', url: es.url })
  try {
    const frame = makeFrame(frameId(1), recentRecords(100))
    writer.send(1, frame)
    writer.send(1, frame, 'encoded')
    await writer.allDone(1)
    assert.equal(es.stats.stored, 100)
    assert.deepEqual(
      writer.sent.flatMap((message) => (message.type === 'done' ? message.seqs : [])),
      [1],
    )
  } finally {
    await writer.stop()
    await es.close()
  }
})

test('a frame that does not verify is counted and given up, the ones behind it arrive', async () => {
  const es = await startElasticsearchStandIn()
  const writer = await startWriter({ type: 'elasticsearch', url: es.url })
  try {
    const frame = makeFrame(frameId(1), recentRecords(10))
    frame.encoded[frame.encoded.length - 3]! ^= 1
    writer.send(1, frame, 'encoded')
    writer.send(2, makeFrame(frameId(2), recentRecords(10)), 'encoded')
    writer.send(3, makeFrame(frameId(3), []))
    await writer.allDone(1, 2, 3)
    assert.equal(es.count(), 10)
    assert.equal(await writer.metric('journal_corrupt_total', { kind: 'frame.crc' }), 1)
  } finally {
    await writer.stop()
    await es.close()
  }
})

for (const type of ['elasticsearch', 'loki'] as const) {
  test(`${type}: far more frames than memory for batches go through a slow backend without a deadlock`, async () => {
    const server = type === 'loki' ? await startLokiStandIn() : await startElasticsearchStandIn()
    server.setFaults({ delayMs: 5 })
    const writer = await startWriter({
      type,
      url: server.url,
      batch_bytes: 64 * 1024,
      memory_bytes: 1024 * 1024,
      concurrency_max: 1,
    })
    try {
      const services = ['a', 'b', 'c', 'd', 'e']
      const seqs = Array.from({ length: 40 }, (_, n) => n + 1)
      for (const seq of seqs) {
        const records = recentRecords(300, { message: 'x'.repeat(300) }).map((record, n) => ({
          ...record,
          service: services[n % 5] as string,
        }))
        writer.send(seq, makeFrame(frameId(seq), records), seq % 3 === 0 ? 'encoded' : 'slot')
      }
      await writer.allDone(...seqs)
      assert.equal(server.count(), 40 * 300)
    } finally {
      await writer.stop()
      await server.close()
    }
  })
}
