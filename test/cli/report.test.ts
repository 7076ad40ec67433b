// Guards `millrace report`: a node's counters become figures of a day, since its start or between two looks, with what they cost.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, test } from 'node:test'
import { readCounters } from '../../cli/report/counters.js'
import { reportBetween, reportText } from '../../cli/report/volumes.js'
import { report } from '../../protocol/config/report.js'
import { createMetricsMerge } from '../../runtime/metrics-merge.js'
import { createMetrics } from '../../runtime/metrics.js'
import { exampleStatus, startNodeServer } from '../http/node-server.js'
import { makeWorkspace } from './millrace.js'

const { folder, run, remove } = makeWorkspace()
after(remove)

const PRICES = report.parse({ cost: { es: { ingested_per_gb: 2 } } })

/** As a node's threads count, and as its page tells. */
async function metricsOf(seen: number, kept: number, service = 'cart'): Promise<string> {
  const metrics = createMetrics()
  const labels = { namespace: 'shop', service, level: 'INFO' }
  metrics.add('sampling_seen_total', seen, labels)
  metrics.add('sampling_kept_total', kept, labels)
  metrics.add('sampling_seen_bytes_total', seen * 100, labels)
  metrics.add('sampling_kept_bytes_total', kept * 100, labels)
  const merge = createMetricsMerge()
  merge.update('ingest', await metrics.snapshot())
  return merge.text()
}

test('counters are read from the page of the metrics, whatever a service is called', async () => {
  const odd = 'a"b\\c\nd}'
  assert.deepEqual(readCounters(await metricsOf(7, 3, odd)), [
    {
      namespace: 'shop',
      service: odd,
      level: 'INFO',
      in: { records: 7, bytes: 700 },
      kept: [{ records: 3, bytes: 300 }],
    },
  ])
  assert.deepEqual(readCounters('log_pipeline_x 1\n'), [])
})

test('figures are of a day, since the start or between two looks, and a restart between them is told', async () => {
  const look = async (uptimeMs: number, seen: number, kept: number) => ({
    status: { ...exampleStatus, uptimeMs },
    rows: readCounters(await metricsOf(seen, kept)),
  })
  const [early, late] = [await look(10_000, 1000, 500), await look(20_000, 4000, 600)]
  const whole = reportBetween(undefined, late, PRICES)
  assert.equal(whole.perDay[0]?.in.records, (4000 * 86_400) / 20)
  assert.equal(whole.costs['es']?.price?.perDay, ((90e6 * 86_400) / 20 / 1e9) * 2)
  assert.equal(whole.costs['loki']?.price, undefined)
  const between = reportBetween(early, late, PRICES)
  assert.deepEqual([between.sinceStart, between.perDay[0]?.in.records], [false, (3000 * 86_400) / 10])
  const anew = reportBetween(late, early, PRICES)
  assert.deepEqual([anew.sinceStart, anew.counted[0]?.in.records], [true, 1000])
  assert.match(anew.notes.join(), /started anew/)
  assert.match(reportText({ ...whole, counted: [], perDay: [] }, 50), /no records were read/)
})

test('the command asks the node, with the prices of the configuration', async (context) => {
  const page = await metricsOf(1000, 100)
  const node = await startNodeServer({ metrics: () => Promise.resolve(page) })
  context.after(() => node.close())
  writeFileSync(
    path.join(folder, 'm.yaml'),
    `sources: { a: { type: stdin } }\nbackends: { es: { type: elasticsearch, url: "http://127.0.0.1:1" } }\nhttp: { listen: ${node.address} }\nreport: { cost: { es: { ingested_per_gb: 2 } } }\n`,
  )
  const [text, json, bare, gone] = await Promise.all([
    run(['report', '-c', 'm.yaml']),
    run(['report', '--address', node.address, '--json']),
    run(['report', '--address', node.address, '--over', 'soon']),
    run(['report', '--address', '127.0.0.1:1']),
  ])
  assert.equal(text.code, 0)
  assert.match(text.stdout, /^node n1: figures of a day, from the 10s since its start$/m)
  assert.match(text.stdout, /^shop\/cart {2}INFO +8,640,000 +864 MB +864,000 +10\.0 +86\.4 MB$/m)
  assert.match(text.stdout, /^now +778 GB +1,555\.20 USD +518 GB +- +1,555\.20 USD$/m)
  const told = JSON.parse(json.stdout) as { perDay: { total: { kept: { now: { records: number } } } } }
  assert.equal(told.perDay.total.kept.now.records, 864_000)
  assert.deepEqual([bare.code, gone.code], [2, 1])
})
