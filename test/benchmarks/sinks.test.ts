// Guards the sinks of the benchmarks: they count every record, answer as the backends do, and note when each was acknowledged.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { request } from 'undici'
import { allStored } from '../../actors/writers/elasticsearch/answer.js'
import { SEQ_FROM } from '../../benchmarks/generate/block.js'
import { type Sinks, startSinks } from '../../benchmarks/harness/sinks.js'
import { sharedNowMs } from '../../benchmarks/sinks/arrivals.js'
import { createGate } from '../../benchmarks/sinks/limit.js'
import { countFields } from '../../benchmarks/sinks/loki.js'
import { encodePush } from '../contract/push-encode.js'

let sinks: Sinks
before(async () => {
  sinks = await startSinks()
})
after(() => sinks.close())

const record = (seq: number): string => `{"message":"m","seq":${SEQ_FROM + seq},"text":"[\\"[\\n"}`
const bulkOf = (seqs: readonly number[], verb = 'create'): string =>
  seqs.map((seq) => `{"${verb}":{"_id":"a-${seq}"}}\n${record(seq)}\n`).join('')
const seqsTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

async function bulk(
  body: string | Buffer,
  { query = '?filter_path=errors,items.*.status', headers = {} } = {},
): Promise<{ status: number; body: Buffer; headers: Record<string, unknown> }> {
  const answer = await request(`${sinks.es}/logs/_bulk${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson', ...headers },
    body,
  })
  return {
    status: answer.statusCode,
    body: Buffer.from(await answer.body.arrayBuffer()),
    headers: answer.headers,
  }
}

async function push(path: string, type: string, body: Uint8Array | string): Promise<number> {
  const answer = await request(`${sinks.loki}${path}`, {
    method: 'POST',
    headers: { 'content-type': type },
    body: Buffer.from(body),
  })
  await answer.body.arrayBuffer()
  return answer.statusCode
}

test('the answer to a bulk has each item, as the writer demands it, and with gzip the same bytes', async () => {
  await sinks.reset()
  for (const count of [1, 7, 3000]) {
    const plain = await bulk(bulkOf(seqsTo(count)))
    assert.equal(plain.headers['x-elastic-product'], 'Elasticsearch')
    assert.ok(allStored(plain.body, count))
    const zipped = await bulk(bulkOf(seqsTo(count)), { headers: { 'accept-encoding': 'gzip' } })
    assert.deepEqual(gunzipSync(zipped.body), plain.body)
  }
  assert.equal((await sinks.stats()).es.records, 2 * (1 + 7 + 3000))
})

test('a client that asks for no filter gets full items under its own verb', async () => {
  const { body } = await bulk(bulkOf([1, 2], 'index'), { query: '' })
  const { errors, items } = JSON.parse(body.toString()) as {
    errors: boolean
    items: { index: { result: string } }[]
  }
  assert.deepEqual([errors, items.map(({ index }) => index.result)], [false, ['created', 'created']])
})

test('a gzipped bulk is counted, one that is cut is refused', async () => {
  await sinks.reset()
  const zipped = await bulk(gzipSync(bulkOf(seqsTo(5))), { headers: { 'content-encoding': 'gzip' } })
  assert.ok(allStored(zipped.body, 5))
  assert.equal((await bulk(bulkOf([1]).slice(0, -1))).status, 400)
  assert.equal((await sinks.stats()).es.records, 5)
})

test('pushes are counted by entry: protobuf, JSON and OTLP', async () => {
  await sinks.reset()
  const entries = seqsTo(250).map((seq) => ({
    timestampNs: BigInt(seq),
    line: record(seq),
    metadata: { rid: 'a' },
  }))
  const protobuf = encodePush([
    { labels: { app: 'a' }, entries },
    { labels: { app: 'b' }, entries: entries.slice(0, 3) },
  ])
  assert.equal(await push('/loki/api/v1/push', 'application/x-protobuf', protobuf), 204)
  const values = seqsTo(4).map((seq) => [String(seq), record(seq)])
  const json = JSON.stringify({
    streams: [
      { stream: { a: '[' }, values },
      { stream: {}, values },
    ],
  })
  assert.equal(await push('/loki/api/v1/push', 'application/json', json), 204)
  // ExportLogsServiceRequest: resource_logs(1) { scope_logs(2) { log_records(2), log_records(2) } }.
  const records = [0x12, 0x00, 0x12, 0x02, 0x08, 0x01]
  const otlp = [0x0a, records.length + 2, 0x12, records.length, ...records]
  assert.equal(await push('/otlp/v1/logs', 'application/x-protobuf', Uint8Array.from(otlp)), 200)
  assert.equal((await sinks.stats()).loki.records, 253 + 8 + 2)
  assert.equal(await push('/loki/api/v1/push', 'application/x-protobuf', 'no snappy'), 400)
})

test('bytes that are no protobuf end in an error or a count, never in a loop', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        assert.ok(countFields(bytes, 0, bytes.length, [1, 2], 0) >= 0)
      } catch (error) {
        assert.ok(error instanceof Error)
      }
    }),
  )
})

test('each record has the time of its first acknowledgement, in both', async () => {
  await sinks.watch(10)
  const fromMs = sharedNowMs()
  await bulk(bulkOf([0, 3, 9, 12]))
  const betweenMs = sharedNowMs()
  await bulk(bulkOf([3]))
  const entries = [{ timestampNs: 1n, line: record(9) }]
  await push('/loki/api/v1/push', 'application/x-protobuf', encodePush([{ labels: { app: 'a' }, entries }]))
  const { es, loki, again } = await sinks.take()
  const there = (times: Float64Array): number[] => seqsTo(10).filter((seq) => !Number.isNaN(times[seq]))
  assert.deepEqual([there(es), there(loki), again], [[0, 3, 9], [9], 1])
  assert.ok((es[3] ?? 0) >= fromMs - 1 && (es[3] ?? 0) <= betweenMs + 1)
})

test('a limited sink answers late or refuses, and takes all again afterwards', async () => {
  const slow = createGate({ recordsPerSecond: 1000, manner: 'slow' })
  assert.deepEqual([slow.admit(500, 0), slow.admit(500, 0), slow.admit(100, 5000)], [500, 1000, 100])
  const refuse = createGate({ recordsPerSecond: 1000, manner: 'refuse' })
  assert.deepEqual([refuse.admit(900, 0), refuse.admit(900, 0), refuse.admit(1, 0)], [0, 0, undefined])
  assert.deepEqual([refuse.admit(1, 1000), createGate(undefined).admit(1e9, 0)], [0, 0])
  await sinks.reset()
  await sinks.limit({ recordsPerSecond: 1, manner: 'refuse' })
  assert.equal((await bulk(bulkOf(seqsTo(10)))).status, 200)
  assert.equal((await bulk(bulkOf(seqsTo(10)))).status, 429)
  await sinks.limit(undefined)
  assert.equal((await bulk(bulkOf(seqsTo(10)))).status, 200)
  const { es } = await sinks.stats()
  assert.deepEqual([es.records, es.refused], [20, 1])
})
