// Elasticsearch stopped for a while: Loki goes on, the breaker opens and is counted, afterwards everything is there.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCorpus } from '../../benchmarks/generate/corpus.js'
import type { NodeStatus } from '../../protocol/status.js'
import { createScenario, startMillrace } from './scenario.js'
import { elasticsearch } from './servers/elasticsearch.js'
import { startServer, stopServer } from './servers/server.js'
import { demandEqual } from './verify.js'

const DOWN_MS = Number(process.env.MILLRACE_OUTAGE_MS ?? 12_000)
const BATCH_AGE_MS = 500
const RSS_BOUND_BYTES = 400 * 1024 * 1024

test('Elasticsearch is away while records flow: Loki keeps up, memory is bounded, the gap is filled', async (t) => {
  const breaker = 'breaker: { window: 4s, requests_min: 3, open: 2s }, retry: { initial: 100ms, max: 1s }'
  const scenario = createScenario({ backend: `batch_age_max: ${BATCH_AGE_MS}ms, ${breaker}` })
  t.after(scenario.remove)
  const startMs = Date.now() - 60_000
  const corpus = createCorpus({
    root: scenario.podsRoot,
    records: 400_000,
    pods: 10,
    seed: 5,
    startMs,
    zoo: true,
  })
  const node = startMillrace(scenario, 'run')
  t.after(() => node.process.kill('SIGKILL'))
  const http = /"http":"([^"]+)"/.exec(await node.said(/"msg":"running"/))?.[1] ?? ''
  const seen = { lokiLagSeconds: 0, peakRss: 0, opened: false }
  const writeFor = async (ms: number): Promise<void> => {
    const until = Date.now() + ms
    while (Date.now() < until) {
      corpus.write(250)
      await new Promise((resolve) => setTimeout(resolve, 50))
      const status = (await (await fetch(`http://${http}/status`)).json()) as NodeStatus
      seen.peakRss = Math.max(seen.peakRss, status.memory.peakRssBytes)
      seen.opened ||= status.backends.es?.breaker === 'open'
      seen.lokiLagSeconds = Math.max(seen.lokiLagSeconds, status.backends.loki?.lagSeconds ?? 0)
    }
  }
  await writeFor(3000)
  await stopServer(elasticsearch)
  seen.lokiLagSeconds = 0
  try {
    await writeFor(DOWN_MS)
  } finally {
    await startServer(elasticsearch)
  }
  const lokiLag = seen.lokiLagSeconds
  assert.ok(seen.opened, 'the breaker opened')
  const metrics = await (await fetch(`http://${http}/metrics`)).text()
  assert.match(metrics, /log_pipeline_write_failed_total\{backend="es"\} [1-9]/)
  const ready = await fetch(`http://${http}/readyz`)
  assert.equal(ready.status, 200, 'a node with one healthy backend is ready')
  await writeFor(2000)
  corpus.close()
  const written = corpus.written()
  await untilDelivered(http, written)
  node.process.kill('SIGTERM')
  assert.equal((await node.exited).code, 0, node.log())
  await demandEqual(scenario, corpus.expected, { fromMs: startMs - 1000, toMs: Date.now() + 1000 })
  // The clock of a shared machine is no test: the bound here is loose, the figure is what counts.
  t.diagnostic(
    `down ${DOWN_MS} ms: Loki's lag at most ${lokiLag.toFixed(2)} s with batch_age_max ${BATCH_AGE_MS} ms, peak RSS ${Math.round(seen.peakRss / 1e6)} MB`,
  )
  assert.ok(lokiLag < BATCH_AGE_MS / 1000 + 5, `Loki lagged ${lokiLag} s`)
  assert.ok(seen.peakRss < RSS_BOUND_BYTES, `peak RSS ${seen.peakRss}`)
})

/** Until both backends have acknowledged this many records; the test's own time limit is the bound. */
async function untilDelivered(http: string, records: number): Promise<void> {
  for (;;) {
    const { backends } = (await (await fetch(`http://${http}/status`)).json()) as NodeStatus
    if (Object.values(backends).every(({ writtenRecords }) => writtenRecords >= records)) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}
