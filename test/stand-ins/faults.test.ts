// The stand-ins fail as they are told to, and for as long: a test of an outage must not pass because there was none.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { encodePush } from '../contract/push-encode.js'
import {
  type ElasticsearchStandIn,
  type ElasticsearchStandInOptions,
  startElasticsearchStandIn,
} from './elasticsearch.js'
import { type LokiStandIn, type LokiStandInOptions, startLokiStandIn } from './loki.js'

async function elasticsearch(
  t: TestContext,
  options?: ElasticsearchStandInOptions,
): Promise<ElasticsearchStandIn> {
  const standIn = await startElasticsearchStandIn(options)
  t.after(() => standIn.close())
  return standIn
}

async function loki(t: TestContext, options?: LokiStandInOptions): Promise<LokiStandIn> {
  const standIn = await startLokiStandIn(options)
  t.after(() => standIn.close())
  return standIn
}

async function bulk(
  { url }: ElasticsearchStandIn,
  ids: readonly string[],
  timeoutMs = 5000,
): Promise<number[]> {
  const body = ids.map((id) => `{"create":{"_id":"${id}"}}\n{"n":1}\n`).join('')
  const response = await fetch(`${url}/logs/_bulk?filter_path=errors,items.*.status`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body,
    signal: AbortSignal.timeout(timeoutMs),
  })
  if (response.status !== 200) return [response.status]
  const { items } = (await response.json()) as { items: { create: { status: number } }[] }
  return items.map(({ create }) => create.status)
}

async function push({ url }: LokiStandIn, lines: readonly string[]): Promise<number> {
  const nowNs = BigInt(Date.now()) * 1_000_000n
  const entries = lines.map((line, index) => ({ timestampNs: nowNs + BigInt(index), line }))
  const body = new Uint8Array(encodePush([{ labels: { app: 'a' }, entries }]))
  return (await fetch(`${url}/loki/api/v1/push`, { method: 'POST', body })).status
}

test('a status fault that outlives its number of requests', async (t) => {
  const standIn = await elasticsearch(t, { faults: { status: 503, requests: 2 } })
  assert.deepEqual(await bulk(standIn, ['a']), [503])
  assert.equal((await fetch(`${standIn.url}/logs/_count`)).status, 404)
  assert.deepEqual(await bulk(standIn, ['a']), [503])
  assert.deepEqual(await bulk(standIn, ['a']), [201])
  standIn.setFaults({ status: 429, on: 'all' })
  assert.equal((await fetch(`${standIn.url}/logs/_count`)).status, 429)
  standIn.setFaults()
  assert.deepEqual(await bulk(standIn, ['b']), [201])
})

test('an acknowledgement that is lost after the work was done', async (t) => {
  const standIn = await elasticsearch(t)
  for (const fault of [{ reset: true, stored: true }, { halfAnswer: true }, { hang: true, stored: true }]) {
    const id = JSON.stringify(Object.keys(fault)).replaceAll(/\W/g, '')
    standIn.setFaults({ ...fault, requests: 1 })
    await assert.rejects(bulk(standIn, [id], 300))
    assert.deepEqual(await bulk(standIn, [id]), [409])
  }
})

test('a reset that stores although it must not', async (t) => {
  const standIn = await elasticsearch(t, { faults: { reset: true } })
  await assert.rejects(bulk(standIn, ['a']))
  assert.equal(standIn.documents().size, 0)
})

test('item errors on more or fewer items than the share', async (t) => {
  const standIn = await elasticsearch(t, { faults: { itemStatus: 429, itemShare: 0.25 } })
  assert.deepEqual(
    await bulk(standIn, ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']),
    [201, 201, 201, 429, 201, 201, 201, 429],
  )
  assert.equal(standIn.count(), 6)
})

test('an answer with all its items where too few are wanted', async (t) => {
  const standIn = await elasticsearch(t, { faults: { missingItems: 1 } })
  assert.deepEqual(await bulk(standIn, ['a', 'b']), [201])
})

test('an acknowledged write that is not to be kept but is', async (t) => {
  const standIn = await elasticsearch(t, { faults: { swallow: 0.5 } })
  assert.deepEqual(await bulk(standIn, ['a', 'b', 'c', 'd']), [201, 201, 201, 201])
  assert.deepEqual([...standIn.documents().keys()], ['a', 'c'])
  const other = await loki(t, { faults: { swallow: true } })
  assert.equal(await push(other, ['a', 'b']), 204)
  assert.deepEqual([other.count(), other.stats.swallowed], [0, 2])
})

test('a delay that does not delay', async (t) => {
  const standIn = await loki(t, { faults: { delayMs: 120 } })
  const started = performance.now()
  assert.equal(await push(standIn, ['a']), 204)
  assert.ok(performance.now() - started >= 115)
})

test('a body above the limit that is taken', async (t) => {
  const standIn = await elasticsearch(t, { bodyBytesMax: 40 })
  assert.deepEqual(await bulk(standIn, ['a', 'b', 'c']), [413])
})

test('a counting sink that miscounts or keeps', async (t) => {
  const sink = await elasticsearch(t, { store: 'count' })
  assert.deepEqual(await bulk(sink, ['a', 'b', 'c']), [201, 201, 201])
  assert.deepEqual(await bulk(sink, ['d']), [201])
  assert.deepEqual([sink.count('logs'), sink.stats.stored, sink.documents().size], [4, 4, 0])
  assert.match(await (await fetch(`${sink.url}/logs/_count`)).text(), /"count":4/)
  const other = await loki(t, { store: 'count' })
  assert.equal(await push(other, ['a', 'b', 'c']), 204)
  assert.deepEqual([other.count(), other.entries().length], [3, 0])
})

test('an entry that the stand-in stores but does not show', async (t) => {
  const standIn = await loki(t)
  await push(standIn, ['a', 'b'])
  assert.deepEqual(
    standIn.entries().map(({ line, labels }) => `${labels['app']}:${line}`),
    ['a:a', 'a:b'],
  )
})
