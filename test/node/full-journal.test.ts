// A whole node whose journal a backend's outage has filled: sources wait and pushes are refused, or the audit fills up what had to leave.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { startNode } from '../../cli/node.js'
import { configSchema } from '../../protocol/config/schema.js'
import { createLogger } from '../../runtime/log.js'
import { freePort } from '../real/servers/own-nats.js'
import { startElasticsearchStandIn } from '../stand-ins/elasticsearch.js'
import { startLokiStandIn } from '../stand-ins/loki.js'
import { until } from './scene.js'

const LINES = 400
const BOUND_BYTES = 2 * 1024 * 1024
/** A check that found the backend away is made again after half a minute. */
const MEND_MS = 100_000

/** Some 8 MB that do not shrink: four times the journal's bound. */
const lines = () =>
  Array.from(
    { length: LINES },
    (_, n) => `{"level":"info","msg":"m ${n} ${randomBytes(15_000).toString('base64')}"}\n`,
  )

async function scene(t: TestContext, atBound: 'block' | 'release') {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-full-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const es = await startElasticsearchStandIn({ store: 'records' })
  const loki = await startLokiStandIn({ store: 'records' })
  t.after(es.close)
  t.after(loki.close)
  const quick = { batch_age_max: '20ms', retry: { initial: '20ms', max: '200ms' }, breaker: { open: '1s' } }
  const push = `127.0.0.1:${await freePort()}`
  const config = configSchema.parse({
    node: { id: 'n1', cluster_id: 'c1', data_dir: join(folder, 'data') },
    http: { listen: '127.0.0.1:0' },
    sources: {
      app: { type: 'file', include: [join(folder, '*.log')], poll: '20ms' },
      push: { type: 'http', listen: push },
    },
    sampling: { tiers: { fatal: 1, error: 1, warn: 1, info: 1, debug: 1, trace: 1 } },
    records: { batch_age_max: '30ms', frame_bytes: '256KiB' },
    backends: {
      es: { type: 'elasticsearch', url: es.url, ...quick },
      loki: { type: 'loki', url: loki.url, ...quick },
    },
    journal: { bytes_max: '2MiB', segment_bytes: '256KiB', at_bound: atBound },
    audit: { after: '3s', gather: '0s', again: '0s', queries_per_second: 100 },
    runtime: { log_level: 'silent', slots: 8, shutdown: '500ms' },
  })
  es.setFaults({ status: 503, on: 'all' })
  const node = await startNode({ config, once: false, log: createLogger('silent') })
  t.after(() => node.stop())
  const metric = async (name: string) => {
    const sample = new RegExp(`^log_pipeline_${name}(?:\\{.*\\})? (.+)$`, 'gm')
    return [...(await node.metrics()).matchAll(sample)].reduce((sum, [, value]) => sum + Number(value), 0)
  }
  /** Threads tell their figures a moment later. */
  const counted = async (name: string, holds: (value: number) => boolean) => {
    for (const deadline = Date.now() + MEND_MS; !holds(await metric(name)); ) {
      assert.ok(Date.now() < deadline, `${name}: ${await metric(name)}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  const told = () => `es ${es.count()}, loki ${loki.count()}: ${JSON.stringify(node.status().actors)}`
  return { folder, es, loki, node, metric, counted, told, push: `http://${push}/ingest` }
}

const numbersOf = (texts: readonly string[]) =>
  texts.map((text) => Number(/"m (\d+) /.exec(text)?.[1])).toSorted((a, b) => a - b)
const ALL = Array.from({ length: LINES }, (_, n) => n)

test('block: files wait on disk, pushes get 429, Loki waits too, and all of it is delivered afterwards', async (t) => {
  const { folder, es, loki, node, metric, counted, told, push } = await scene(t, 'block')
  writeFileSync(join(folder, 'a.log'), lines().join(''))
  await until(() => node.status().actors['journal']?.ready === false, told)
  assert.match(node.status().reasons.join(), /bytes_max reached.*es is \d+ frames behind/)
  assert.equal((await fetch(`http://${node.httpAddress}/readyz`)).status, 503)
  await counted('journal_blocked', (value) => value === 1)
  // What was begun when it filled up waits with the files; what comes after that is refused.
  const body = `{"level":"info","msg":"pushed"}\n`
  const pushed: Promise<Response>[] = []
  let refused: Response | undefined
  for (const deadline = Date.now() + MEND_MS; refused === undefined && Date.now() < deadline; ) {
    const answer = fetch(push, { method: 'POST', body })
    const soon = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 300))])
    if (soon instanceof Response && soon.status === 429) refused = soon
    else pushed.push(answer)
    assert.ok(pushed.length < 10, 'far fewer than requests_max: the journal is what refuses')
  }
  assert.ok(refused !== undefined)
  assert.ok(Number(refused.headers.get('retry-after')) > 0)
  assert.ok((await metric('journal_bytes')) <= BOUND_BYTES)
  const lokiHas = loki.count()
  assert.ok(lokiHas > 0 && lokiHas < LINES, `Loki has the ${lokiHas} that were taken before`)
  assert.equal(es.count(), 0)
  es.setFaults({})
  // On a slow machine a refusal, too, comes late.
  const answers = (await Promise.all(pushed)).map(({ status }) => status).filter((status) => status !== 429)
  assert.ok(answers.every((status) => status === 200))
  const all = LINES + answers.length
  await until(() => es.count() >= all && loki.count() >= all, told)
  const kept = loki.entries().flatMap(({ line }) => (line.includes('"m ') ? [line] : []))
  assert.deepEqual(numbersOf(kept), ALL)
  await until(() => node.status().actors['journal']?.ready === true, told)
})

test('release: Loki gets everything at once, and Elasticsearch what had to leave from there, by the audit', async (t) => {
  const { folder, es, loki, metric, counted, told } = await scene(t, 'release')
  writeFileSync(join(folder, 'a.log'), lines().join(''))
  await until(() => loki.count() >= LINES, told)
  assert.equal(es.count(), 0)
  await counted('journal_released_records_total', (value) => value > 0)
  assert.equal(await metric('journal_dropped_records_total'), 0)
  es.setFaults({})
  for (const deadline = Date.now() + MEND_MS; es.count() < LINES; ) {
    assert.ok(Date.now() < deadline, told())
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const documents = [...es.documents().values()].map((document) => document.toString())
  assert.deepEqual(numbersOf(documents), ALL)
  assert.deepEqual(numbersOf(loki.entries().map(({ line }) => line)), ALL)
  await counted('audit_repaired_total', (value) => value > 0)
})
