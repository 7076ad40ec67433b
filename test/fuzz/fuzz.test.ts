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
/** What code that is compiled late leaves behind is gone in one of these windows; what inputs leave is in each of them. */
const WINDOWS = 3
const WINDOWS_MAX = 12
/** A window feeds more than that, and each input of it is larger as an object than as a text. */
const KEPT_BYTES_MAX = 100_000 * TIMES

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

/** The least that a window of inputs has left in memory, and what became of all inputs. */
async function fed(target: Target): Promise<{ keptBytes: number; outcomes: Map<string, number> }> {
  const rounds = TIMES
  await feed(target, WARM_ROUNDS, 0)
  const outcomes = new Map<string, number>()
  let keptBytes = Number.POSITIVE_INFINITY
  let before = await heldBytes()
  const goesOn = (window: number) => window < WINDOWS || (window < WINDOWS_MAX && keptBytes >= KEPT_BYTES_MAX)
  for (let window = 0; goesOn(window); window++) {
    const from = (WARM_ROUNDS + window * rounds) * target.inputs
    for (const [what, count] of await feed(target, rounds, from))
      outcomes.set(what, (outcomes.get(what) ?? 0) + count)
    const after = await heldBytes()
    keptBytes = Math.min(keptBytes, after - before)
    before = after
  }
  return { keptBytes, outcomes }
}

for (const open of [criTarget, jsonTarget, configTarget, bodyTarget, frameTarget, ruleTarget]) {
  const name = open.name.replace('Target', '')
  test(`hostile ${name}: a crash, an input that is lost, or memory that is not given back`, async (t) => {
    const target = await open()
    t.after(() => target.close?.())
    const { keptBytes, outcomes } = await fed(target)
    const told = [...outcomes].map(([what, count]) => `${what} ${count}`).join(', ')
    assert.ok(
      keptBytes < KEPT_BYTES_MAX,
      `${target.name}: each window kept ${keptBytes} bytes (seed ${SEED})`,
    )
    // A generator of nothing but rubbish would prove little.
    assert.ok(
      target.outcomes.every((each) => outcomes.has(each)),
      told,
    )
    t.diagnostic(`seed ${SEED}: ${told}; ${keptBytes} bytes kept`)
  })
}

test('inputs that are kept in memory are noticed', async () => {
  const kept: Buffer[] = []
  const leaky: Target = {
    name: 'a leak',
    inputs: 150,
    outcomes: [],
    feed: (hostile) => `kept ${kept.push(hostile.bytes(15_000)) > 0}`,
  }
  assert.ok((await fed(leaky)).keptBytes > KEPT_BYTES_MAX)
})
