// kill -9 at random moments, again and again: every record is there, none twice, in both backends.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCorpus } from '../../benchmarks/generate/corpus.js'
import { seededRandom } from '../../benchmarks/generate/random.js'
import { createScenario, runOnce, startMillrace } from './scenario.js'
import { demandEqual } from './verify.js'

const RECORDS = Number(process.env.MILLRACE_RECORDS ?? 60_000)
const KILLS = Number(process.env.MILLRACE_KILLS ?? 6)
const SEED = Number(process.env.MILLRACE_SEED ?? Date.now() % 1_000_000)

test(`kill -9 at ${KILLS} random moments of a run (seed ${SEED})`, async (t) => {
  const scenario = createScenario({ backend: 'batch_age_max: 200ms' })
  t.after(scenario.remove)
  const random = seededRandom(SEED)
  const startMs = Date.now() - 120_000
  const corpus = createCorpus({
    root: scenario.podsRoot,
    records: RECORDS,
    pods: 20,
    seed: SEED,
    startMs,
    zoo: true,
    hugeLines: 4,
    rotateBytes: 2_000_000,
  })
  const perLife = Math.ceil(RECORDS / (KILLS + 1))
  for (let life = 0; life < KILLS; life++) {
    const node = startMillrace(scenario, 'run')
    await node.said(/journal: open/)
    // The moment is chosen by what has been written since, not by a clock: the machine may be slow.
    const killAfter = Math.floor(random() * perLife)
    for (let written = 0; written < perLife; ) {
      const step = corpus.write(Math.min(500, perLife - written))
      if (step === 0) break
      written += step
      if (written - step <= killAfter && written > killAfter) node.process.kill('SIGKILL')
      await new Promise((resolve) => setTimeout(resolve, 5 + random() * 20))
    }
    node.process.kill('SIGKILL')
    assert.equal((await node.exited).signal, 'SIGKILL')
  }
  while (corpus.write(10_000) > 0);
  corpus.close()
  const { code, log } = await runOnce(scenario)
  assert.equal(code, 0, log)
  const { records, lokiCopies } = await demandEqual(scenario, corpus.expected, {
    fromMs: startMs - 1000,
    toMs: Date.now() + 1000,
  })
  t.diagnostic(
    `${records} records, ${KILLS} kills: each once in Elasticsearch and once in Loki by record id; copies of entries in Loki: ${lokiCopies}`,
  )
})
