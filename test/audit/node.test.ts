// A whole node that audits itself: what a backend lost behind its acknowledgement comes back without anybody asking.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startNode } from '../../cli/node.js'
import { configSchema } from '../../protocol/config/schema.js'
import { createDeadLetters } from '../../runtime/dead-letters.js'
import { createLogger } from '../../runtime/log.js'
import { until } from '../node/scene.js'
import { startElasticsearchStandIn } from '../stand-ins/elasticsearch.js'
import { startLokiStandIn } from '../stand-ins/loki.js'

const QUICK = { batch_age_max: '20ms', retry: { initial: '20ms', max: '200ms' } }

test('a node finds and repairs what its backends lost, and lets the journal go', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-audit-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const es = await startElasticsearchStandIn({ store: 'records' })
  const loki = await startLokiStandIn({ store: 'records' })
  t.after(es.close)
  t.after(loki.close)
  loki.setFaults({ swallow: 0.5, requests: 1 })
  const lines = Array.from(
    { length: 400 },
    (_, n) => `{"level":"info","msg":"m ${n}","service_name":"cart"}\n`,
  )
  writeFileSync(join(folder, 'a.log'), lines.join(''))
  const config = configSchema.parse({
    node: { id: 'n1', cluster_id: 'c1', data_dir: join(folder, 'data') },
    http: { listen: '127.0.0.1:0' },
    sources: { app: { type: 'file', include: [join(folder, '*.log')], poll: '20ms' } },
    sampling: { tiers: { fatal: 1, error: 1, warn: 1, info: 1, debug: 1, trace: 1 } },
    records: { batch_age_max: '30ms' },
    backends: {
      es: { type: 'elasticsearch', url: es.url, ...QUICK },
      loki: { type: 'loki', url: loki.url, ...QUICK },
    },
    audit: { after: '50ms', gather: '0s', again: '0s', queries_per_second: 100 },
    runtime: { log_level: 'silent' },
  })
  // A letter of an earlier life of the node, and one that the audit itself gave up.
  for (const [name, backend] of [
    ['es', 'es'],
    ['@audit', '@audit'],
  ] as const) {
    const letters = createDeadLetters({ folder: join(folder, 'data', 'dlq', name) })
    const about = { backend, reason: 'test', time: new Date().toISOString(), tries: 1 }
    await letters.put([{ ...about, frame: 'earlier', n: 0, record: '{}' }])
    await letters.close()
  }
  const node = await startNode({ config, once: false, log: createLogger('silent') })
  t.after(() => node.stop())
  const status = () => node.status().actors['auditor']?.detail
  await until(
    () => Number(status()?.['repaired'] ?? 0) > 0 && loki.count() === 400,
    () => `es ${es.count()}, loki ${loki.count()}: ${JSON.stringify(node.status().actors)}`,
  )
  assert.ok(loki.stats.swallowed > 0)
  const waiting = (text: string, backend: string) =>
    new RegExp(`^log_pipeline_dead_letters_waiting\\{[^}]*backend="${backend}"[^}]*\\} 1$`, 'm').test(text)
  let text = ''
  // Threads hand their metrics over once a second.
  for (let tries = 0; tries < 100 && !(waiting(text, 'es') && waiting(text, '@audit')); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    text = await node.metrics()
  }
  assert.ok(waiting(text, 'es') && waiting(text, '@audit'), text)
  assert.deepEqual(
    loki
      .entries()
      .map(({ line }) => /m \d+/.exec(line)?.[0])
      .toSorted(),
    lines.map((_, n) => `m ${n}`).toSorted(),
  )
  const events = readdirSync(join(folder, 'data', 'audit'))
    .filter((name) => name.endsWith('.ndjson'))
    .flatMap((name) => readFileSync(join(folder, 'data', 'audit', name), 'utf8').split('\n'))
  assert.ok(events.some((line) => line.includes('"event":"repaired"') && line.includes('"from":"journal"')))
})
