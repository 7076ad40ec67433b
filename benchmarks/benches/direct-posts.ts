// The reference of bench latency: one record straight to both sinks, with no file, no batch and no journal between.
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { createLatencies, type Latencies } from '../harness/histogram.js'
import type { Sinks } from '../harness/sinks.js'
import { sharedNowMs } from '../sinks/arrivals.js'

const RECORD = { timestamp: '2026-01-02T03:04:05.678Z', log_level: 'INFO', message: 'request handled' }

/** Open loop: each pair of requests has its time, and its latency counts from then. */
export async function directPosts(
  { es, loki }: Pick<Sinks, 'es' | 'loki'>,
  perSecond: number,
  seconds: number,
): Promise<Latencies> {
  const latencies = createLatencies()
  const line = JSON.stringify(RECORD)
  const bulk = Buffer.from(`{"create":{"_id":"reference-0"}}\n${line}\n`)
  const push = Buffer.from(JSON.stringify({ streams: [{ stream: { app: 'bench' }, values: [['0', line]] }] }))
  const beginMs = sharedNowMs()
  const running: Promise<void>[] = []
  for (let n = 0; n < perSecond * seconds; n++) {
    const dueMs = beginMs + (n * 1000) / perSecond
    await sleep(Math.max(0, dueMs - sharedNowMs()))
    const both = Promise.all([
      post(`${es}/logs/_bulk?filter_path=errors,items.*.status`, 'application/x-ndjson', bulk),
      post(`${loki}/loki/api/v1/push`, 'application/json', push),
    ])
    running.push(both.then(() => latencies.addMillis(sharedNowMs() - dueMs)))
  }
  await Promise.all(running)
  return latencies
}

async function post(url: string, type: string, body: Buffer): Promise<void> {
  const answer = await request(url, { method: 'POST', headers: { 'content-type': type }, body })
  await answer.body.arrayBuffer()
  if (answer.statusCode >= 300) throw new Error(`${url} answered ${answer.statusCode}`)
}
