// Documents deleted by hand and a push that Loki never got: the audit finds every record, the repair brings all back, a second audit is clean.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCorpus } from '../../benchmarks/generate/corpus.js'
import type { AuditRunResult } from '../../cli/audit/run.js'
import { createScenario, runOnce, type Scenario, startMillrace } from './scenario.js'
import { esDeleteIndices, esRefresh, withEs } from './servers/es-query.js'
import { serverUrl } from './servers/settings.js'
import { startSwallowingProxy } from './swallowing-proxy.js'
import { demandEqual } from './verify.js'

const RECORDS = Number(process.env.MILLRACE_RECORDS ?? 50_000)

/** Every hundredth document, whatever it is. Returns how many. */
async function deleteOneInHundred({ esUrl, index }: Scenario): Promise<number> {
  await esRefresh(esUrl, index)
  let seen = 0
  let deleted = 0
  await withEs(esUrl, async (client) => {
    const pages = client.helpers.scrollSearch({ index, size: 10_000, sort: ['_doc'], _source: false })
    for await (const { body } of pages) {
      const chosen = body.hits.hits.filter(() => seen++ % 100 === 50)
      const operations = chosen.map(({ _index, _id }) => ({ delete: { _index, _id: _id ?? '' } }))
      assert.equal((await client.bulk({ operations })).errors, false)
      deleted += chosen.length
    }
  })
  await esRefresh(esUrl, index)
  return deleted
}

async function audit(scenario: Scenario, exit: number, ...more: readonly string[]): Promise<AuditRunResult> {
  const { code, log } = await startMillrace(scenario, 'audit', 'run', '--json', ...more).exited
  assert.equal(code, exit, log)
  return JSON.parse(log.trim().split('\n').at(-1) ?? '') as AuditRunResult
}

test('1 % of the documents deleted and pushes swallowed: found, repaired from the journal, clean', async (t) => {
  const proxy = await startSwallowingProxy(serverUrl('loki'))
  t.after(() => proxy.close())
  const scenario = createScenario({ lokiUrl: proxy.url, backend: 'batch_age_max: 200ms' })
  t.after(() => esDeleteIndices(scenario.esUrl, scenario.index))
  t.after(scenario.remove)
  const startMs = Date.now() - 60_000
  const corpus = createCorpus({
    root: scenario.podsRoot,
    records: RECORDS,
    pods: 20,
    seed: 11,
    startMs,
    zoo: true,
  })
  while (corpus.write(10_000) > 0);
  corpus.close()
  proxy.swallow('log_level="ERROR"', 1)
  const ran = await runOnce(scenario)
  assert.equal(ran.code, 0, ran.log)
  assert.ok(proxy.swallowed() > 0)
  const deleted = await deleteOneInHundred(scenario)

  const found = await audit(scenario, 1, '--dry-run')
  assert.equal(found.records, RECORDS)
  assert.equal(found.backends['es']?.missing, deleted, 'every deleted document is found')
  assert.equal(found.backends['loki']?.missing, proxy.swallowed(), 'every swallowed entry is found')

  const mended = await audit(scenario, 0)
  assert.deepEqual(mended.repairs, { es: { journal: deleted }, loki: { journal: proxy.swallowed() } })

  const clean = await audit(scenario, 0)
  assert.equal(clean.agreed, clean.frames)
  await demandEqual(scenario, corpus.expected, { fromMs: startMs - 1000, toMs: startMs + 20_000 })
  const queries = ({ backends }: AuditRunResult) =>
    Object.entries(backends).map(([name, backend]) => `${name} ${backend.queries}`)
  t.diagnostic(
    `${RECORDS} records in ${found.frames} frames; ${deleted} documents deleted and ${proxy.swallowed()} entries swallowed, all found and brought back; ` +
      `queries: looking ${queries(found).join(', ')}; repairing ${queries(mended).join(', ')}; clean ${queries(clean).join(', ')}`,
  )
})
