// What rules leave alone: errors, audit records, and the rate of metric records, unless their condition says otherwise.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileRules, type DecideInput } from '../../protocol/sampling/rules.js'

const AUDIT = 1
const METRIC = 2
const CART: DecideInput = {
  service: 'cart',
  namespace: 'shop',
  level: 3,
  logType: 0,
  window: undefined,
  baseRate: 0.1,
}
const INCIDENT = { errorRate: 0.08, p99Ms: 300 }

test('an incident hides errors, or evidence is sampled', () => {
  const set = compileRules([{ when: 'service_name = cart', keep: 0.01 }])
  assert.deepEqual(set.decide(CART), { rate: 0.01, rule: 'rule 1' })
  assert.equal(set.decide({ ...CART, level: 5, baseRate: 0.9 }).rate, 0.9)
  assert.equal(set.decide({ ...CART, level: 6, baseRate: 1 }).rate, 1)
  assert.deepEqual(set.decide({ ...CART, logType: AUDIT, baseRate: 1 }), {})
  const named = compileRules([{ when: 'service_name = cart AND log_level = ERROR', keep: 0.01 }])
  assert.equal(named.decide({ ...CART, level: 5, baseRate: 1 }).rate, 0.01)
  assert.deepEqual(named.decide({ ...CART, level: 6, baseRate: 1 }), {})
})

test('a rule that does not name log_type changes the rate of metric records, or one that does leaves it', () => {
  const measured = { ...CART, logType: METRIC, baseRate: 1, window: INCIDENT }
  const set = compileRules([{ when: 'error_rate > 0.05 OR status_code = 404', keep: 0.1 }])
  assert.deepEqual(set.decide(measured), {})
  assert.equal(set.explain(measured, 404), undefined)
  assert.equal(set.decide({ ...measured, logType: 0 }).rate, 0.1)
  const named = compileRules([
    { when: 'error_rate > 0.05', keep: 0.1, weight: 1 },
    { name: 'metrics', when: 'log_type = metric AND error_rate > 0.05', keep: 0.2 },
  ])
  assert.deepEqual(named.decide(measured), { rate: 0.2, rule: 'metrics' })
  assert.equal(named.explain(measured, undefined)?.rule.name, 'metrics')
})
