// Hostile input from a seed (MILLRACE_FUZZ_SEED, MILLRACE_FUZZ_TIMES for more): nothing crashes, each input is accounted for, none of it is kept in memory.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../benchmarks/generate/random.js'
import { bodyTarget } from './body-target.js'
import { heldBytes } from './held-memory.js'
import { createHostile } from './hostile.js'
import { criTarget, jsonTarget } from './line-targets.js'
import { configTarget, frameTarget, ruleTarget, type Target } from './targets.js'

const SEED = Number(process.env['MILLRACE_FUZZ_SEED'] ?? 1)
const TIMES = Number(process.env['MILLRACE_FUZZ_TIMES'] ?? 1)
/** Rounds before memory counts: code is compiled, pools and tables have their size. */
const WARM_ROUNDS = 2
const ROUNDS = 3
/** What an input may leave behind at most, on average; an input, or an error with its stack, is larger. */
const KEPT_BYTES_MAX = 200
/** Noise of the heap's measurement, and of code that is compiled late. */
const NOISE_BYTES = 400_000

async function feed(target: Target, rounds: number, from: number): Promise<Map<string, number>> {
  const outcomes = new Map<string, number>()
  const inputs = target.inputs * rounds
  for (let n = from; n < from + inputs; n++) {
    try {
      const outcome = await target.feed(createHostile(seededRandom(SEED * 1_000_003 + n)))
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    } catch (error) {
      const text = `${target.name}: input ${n} of seed ${SEED}: ${error instanceof Error ? error.stack : String(error)}`
      throw new Error(text, { cause: error })
    }
  }
  return outcomes
}

for (const open of [criTarget, jsonTarget, configTarget, bodyTarget, frameTarget, ruleTarget]) {
  const name = open.name.replace('Target', '')
  test(`hostile ${name}: a crash, an input that is lost, or memory that is not given back`, async (t) => {
    const target = await open()
    t.after(() => target.close?.())
    await feed(target, WARM_ROUNDS, 0)
    const before = await heldBytes()
    const outcomes = await feed(target, ROUNDS * TIMES, WARM_ROUNDS * target.inputs)
    const inputs = ROUNDS * TIMES * target.inputs
    const kept = (await heldBytes()) - before
    assert.ok(
      kept < NOISE_BYTES + inputs * KEPT_BYTES_MAX,
      `${target.name}: ${kept} bytes kept of ${inputs} inputs (seed ${SEED})`,
    )
    // A generator of nothing but rubbish would prove little.
    assert.ok(
      target.outcomes.every((each) => outcomes.has(each)),
      [...outcomes].join(' '),
    )
    assert.equal(
      [...outcomes.values()].reduce((sum, count) => sum + count, 0),
      inputs,
    )
    t.diagnostic(
      `${inputs} inputs: ${[...outcomes].map(([what, count]) => `${what} ${count}`).join(', ')}; ${kept} bytes kept`,
    )
  })
}
