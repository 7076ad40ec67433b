// A harness that can not fail is worthless: a real node, one acknowledged write lost on its way, and the run must be a failure.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makePlan } from './plan.js'
import { runPlan } from './run.js'

for (const lie of ['es', 'loki'] as const) {
  test(`a write to ${lie} that was acknowledged and never stored is found`, async () => {
    const plan = makePlan({ seed: 1, durationMs: 2000, backends: 'stand-ins', nats: false })
    assert.deepEqual(plan.faults, [])
    // The audit would bring it back.
    const small = { ...plan, shape: { ...plan.shape, nodes: 1, recordsPerSecond: 300, audit: false } }
    const { violations } = await runPlan({ plan: small, say: () => undefined, lie })
    const lost = new RegExp(`^${lie}: lost \\(\\d+\\): (files|pushes)0:\\d+`)
    // The nodes believe that all is there: that it is not is the one other thing to be told.
    const others = violations.filter((each) => !lost.test(each) && !each.startsWith('not delivered'))
    assert.deepEqual([others, violations.length], [[], 2], violations.join('\n'))
  })
}
