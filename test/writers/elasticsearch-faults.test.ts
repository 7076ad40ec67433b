// Faults of Elasticsearch, one by one: nothing is lost, nothing is stored twice, nothing is acknowledged before it is there.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Faults } from '../stand-ins/faults.js'
import {
  type ElasticsearchStandIn,
  type ElasticsearchStandInOptions,
  startElasticsearchStandIn,
} from '../stand-ins/elasticsearch.js'
import { frameId, makeFrame, recentRecords, type TestRecord } from './frames.js'
import { type BackendInput, startWriter, type WriterUnderTest } from './journal.js'

interface Scene {
  readonly es: ElasticsearchStandIn
  readonly writer: WriterUnderTest
}

async function withWriter(
  run: (scene: Scene) => Promise<void>,
  options: Partial<BackendInput> = {},
  server: ElasticsearchStandInOptions = {},
): Promise<void> {
  const es = await startElasticsearchStandIn(server)
  const writer = await startWriter({ type: 'elasticsearch', url: es.url, ...options })
  try {
    await writer.until('subscribe', () => writer.sent.some(({ type }) => type === 'subscribe'))
    await run({ es, writer })
  } finally {
    await writer.stop()
    await es.close()
  }
}

async function survives(faults: Faults, options: Partial<BackendInput> = {}): Promise<void> {
  await withWriter(async ({ es, writer }) => {
    es.setFaults(faults)
    const frames = [1, 2, 3].map((seq) => makeFrame(frameId(seq), recentRecords(200)))
    for (const [n, frame] of frames.entries()) writer.send(n + 1, frame)
    await writer.allDone(1, 2, 3)
    const documents = es.documents()
    assert.equal(documents.size, 600)
    for (const { id, lines } of frames) {
      for (const [n, line] of lines.entries())
        assert.equal(documents.get(`${id}-${n}`)?.toString(), `${line.slice(0, -1)},"batch_id":"${id}"}`)
    }
    assert.deepEqual(await writer.deadLetters(), [])
  }, options)
}

const faults: Readonly<Record<string, Faults>> = {
  'a whole bulk refused for load is sent again': { status: 429, requests: 3 },
  'a server error is waited out': { status: 503, requests: 3 },
  'a proxy without Elasticsearch behind it is waited out': {
    status: 502,
    body: '<html>bad gateway</html>',
    requests: 2,
  },
  'single documents refused for load are sent again alone': { itemStatus: 429, itemShare: 0.3, requests: 3 },
  'single documents with a server error are sent again alone': {
    itemStatus: 503,
    itemShare: 0.5,
    requests: 2,
  },
  'a reset connection is not taken for an answer': { reset: true, requests: 3 },
  'a lost acknowledgement does not store twice': { reset: true, stored: true, requests: 3 },
  'an answer cut in the middle is not taken for an answer': { halfAnswer: true, requests: 3 },
  'an answer with too few items is not taken for success': { missingItems: 1, requests: 3 },
  'a missing right is waited for, not taken for a bad document': { status: 403, requests: 3 },
  'a document refused for a missing right is not made raw': { itemStatus: 403, requests: 3 },
}
for (const [name, fault] of Object.entries(faults)) test(name, () => survives(fault))

test('a server that hangs is given up after the timeout, and what it stored is not stored twice', () =>
  survives({ hang: true, stored: true, requests: 2 }, { timeout: 150 }))

test('requests are compressed when configured, and understood', () => survives({}, { gzip: true }))

test('a bulk over the limit of the server is halved until it is taken, and later ones are smaller', () =>
  withWriter(
    async ({ es, writer }) => {
      const big = { message: 'x'.repeat(2000) }
      for (let seq = 1; seq <= 4; seq++) writer.send(seq, makeFrame(frameId(seq), recentRecords(500, big)))
      await writer.allDone(1, 2, 3, 4)
      assert.equal(es.count(), 2000)
      const { bulks } = es.stats
      for (let seq = 5; seq <= 6; seq++) writer.send(seq, makeFrame(frameId(seq), recentRecords(400, big)))
      await writer.allDone(5, 6)
      assert.equal(es.count(), 2800)
      assert.ok(es.stats.bulks > bulks)
    },
    { batch_bytes: 4 * 1024 * 1024 },
    { bodyBytesMax: 700_000 },
  ))

test('a single record over the limit of the server is a dead letter, and the others of its frame arrive', () =>
  withWriter(
    async ({ es, writer }) => {
      const records: TestRecord[] = recentRecords(20)
      records[7] = { ...(records[7] as TestRecord), message: 'x'.repeat(60_000) }
      const frame = makeFrame(frameId(1), records)
      writer.send(1, frame)
      await writer.allDone(1)
      assert.equal(es.count(), 19)
      const [letter, ...more] = await writer.deadLetters()
      assert.deepEqual(more, [])
      assert.deepEqual([letter?.reason, letter?.frame, letter?.n], ['too_large', frame.id, 7])
      assert.equal(letter?.record, frame.lines[7])
      assert.equal(await writer.metric('dead_letters_total', { reason: 'too_large' }), 1)
    },
    {},
    { bodyBytesMax: 50_000 },
  ))

test('a bulk that is refused for load again and again gets smaller', () =>
  withWriter(
    async ({ es, writer }) => {
      es.setFaults({ status: 429, requests: 4 })
      writer.send(1, makeFrame(frameId(1), recentRecords(1000, { message: 'x'.repeat(1000) })))
      await writer.allDone(1)
      assert.equal(es.count(), 1000)
      assert.ok(es.stats.stored === 1000 && es.stats.conflicts === 0)
    },
    { breaker: { window: 1000, failed_share: 0.6, requests_min: 50, open: 100 } },
  ))

test('a document of a refused shape is stored as raw under the same id', () =>
  withWriter(async ({ es, writer }) => {
    const records: TestRecord[] = recentRecords(10)
    records[3] = { ...(records[3] as TestRecord), more: ',"service_name2":1,"_id":"smuggled"' }
    const frame = makeFrame(frameId(1), records)
    writer.send(1, frame)
    await writer.allDone(1)
    const documents = es.documents()
    assert.equal(documents.size, 10)
    const raw = JSON.parse(String(documents.get(`${frame.id}-3`))) as Record<string, string>
    assert.deepEqual(Object.keys(raw), [
      'timestamp',
      'log_level',
      'service_name',
      'namespace',
      'batch_id',
      'raw',
    ])
    assert.equal(raw['raw'], frame.lines[3])
    assert.equal(raw['batch_id'], frame.id)
    assert.equal(await writer.metric('raw_documents_total'), 1)
    assert.deepEqual(await writer.deadLetters(), [])
    const said = writer.logs.filter(({ msg }) => String(msg).includes('shape'))
    assert.equal(said.length, 1)
    assert.ok(!JSON.stringify(said).includes('smuggled'))
  }))

test('what even as raw is refused is a dead letter with the reason, and is acknowledged', () =>
  withWriter(async ({ es, writer }) => {
    es.setFaults({ itemStatus: 400, itemShare: 1 })
    const frame = makeFrame(frameId(1), recentRecords(4))
    writer.send(1, frame)
    await writer.allDone(1)
    assert.equal(es.count(), 0)
    const letters = await writer.deadLetters()
    assert.deepEqual(
      letters.map(({ n, reason, record }) => [n, reason, record]),
      frame.lines.map((line, n) => [n, 'mapping', line]),
    )
  }))

test('records of different days go to different indices, and so does their retry', () =>
  withWriter(async ({ es, writer }) => {
    es.setFaults({ itemStatus: 429, itemShare: 0.5, requests: 1 })
    const midnightNs = BigInt(Date.UTC(2026, 10, 23)) * 1_000_000n
    const records = Array.from({ length: 20 }, (_, n): TestRecord => ({ tsNs: midnightNs + BigInt(n - 10) }))
    writer.send(1, makeFrame(frameId(1), records))
    await writer.allDone(1)
    assert.equal(es.documents('logs-2026-11-22').size, 10)
    assert.equal(es.documents('logs-2026-11-23').size, 10)
  }))

test('routing and data streams: every document carries what they need, its source is otherwise the same', () =>
  withWriter(
    async ({ es, writer }) => {
      const records = ['a', 'b', 'a', 'a', 'c'].map((service, n) => ({
        ...(recentRecords(5)[n] as TestRecord),
        service,
      }))
      const frame = makeFrame(frameId(1), records)
      writer.send(1, frame)
      await writer.allDone(1)
      for (const [n, line] of frame.lines.entries()) {
        const { timestamp } = JSON.parse(line) as { timestamp: string }
        const expected = `${line.slice(0, -1)},"@timestamp":"${timestamp}","batch_id":"${frame.id}"}`
        assert.equal(es.documents('logs-app-test').get(`${frame.id}-${n}`)?.toString(), expected)
      }
    },
    { data_stream: true, index: 'logs-app-test', routing: 'service_name' },
  ))
