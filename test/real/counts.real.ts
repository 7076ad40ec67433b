// A whole corpus through the real servers: counts equal by service and level, every record once, byte-identical in both.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCorpus } from '../../benchmarks/generate/corpus.js'
import { createScenario, runOnce, startMillrace } from './scenario.js'
import { demandEqual } from './verify.js'

/** CI takes a tenth; the full claim is shown with MILLRACE_RECORDS=1000000. */
const RECORDS = Number(process.env.MILLRACE_RECORDS ?? 100_000)

test('partials, rotations while running, bad UTF-8, text, huge lines and duplicate keys: nothing is lost or doubled', async () => {
  const scenario = createScenario()
  const startMs = Date.now() - 120_000
  const corpus = createCorpus({
    root: scenario.podsRoot,
    records: RECORDS,
    pods: 30,
    seed: 42,
    startMs,
    zoo: true,
    hugeLines: 10,
    rotateBytes: Math.min(10_000_000, RECORDS * 4),
    gzipRotated: true,
  })
  corpus.write(RECORDS / 2)
  // The second half is written, rotated and gzip'd while the node reads; what is left then is for `run --once`.
  const node = startMillrace(scenario, 'run')
  await node.said(/running/)
  while (corpus.write(2_000) > 0) await new Promise((resolve) => setImmediate(resolve))
  corpus.close()
  node.process.kill('SIGTERM')
  const { code, log } = await node.exited
  assert.equal(code, 0, log)
  const rest = await runOnce(scenario)
  assert.equal(rest.code, 0, rest.log)
  await demandEqual(scenario, corpus.expected, { fromMs: startMs - 1000, toMs: Date.now() + 1000 })
  scenario.remove()
})
