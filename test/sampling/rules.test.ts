// Compiled rules: what is decided once per window and stream equals the conditions read directly, for every status code.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { comparisonsOf, RULE_COMPARISONS_MAX, type RuleExpression } from '../../protocol/sampling/dsl.js'
import { evaluateRule, type StreamFacts, type WindowMetrics } from '../../protocol/sampling/rule-evaluate.js'
import { printRule } from '../../protocol/sampling/rule-print.js'
import {
  compileRules,
  type DecideInput,
  type Decision,
  RULES_MAX,
  type RuleOptions,
  type RuleSet,
} from '../../protocol/sampling/rules.js'
import { expression, streamFacts, windowMetrics } from './rule-arbitraries.js'

const AUDIT = 1
const METRIC = 2
const STATUSES: readonly (number | undefined)[] = [...Array(1000).keys(), undefined]

/** Those that rules of these tests name, and others. */
const SOME_STATUSES = [undefined, 0, 1, 199, 200, 404, 499, 500, 501, 502, 504, 998, 999]

interface TestRule {
  readonly tree: RuleExpression
  readonly keep: number
  readonly weight: number
  readonly forMs: number
}
const rate = fc.constantFrom(0, 0.001, 0.1, 0.5, 1)
const testRule: fc.Arbitrary<TestRule> = fc.record({
  tree: expression.filter((tree) => comparisonsOf(tree).length <= RULE_COMPARISONS_MAX),
  keep: rate,
  weight: fc.constantFrom(-1, 0, 0, 7),
  forMs: fc.constantFrom(0, 1000, 2500, 60_000),
})
const testRules = fc.array(testRule, { minLength: 1, maxLength: 4 })

function compiled(rules: readonly TestRule[]): RuleSet {
  return compileRules(
    rules.map(({ tree, keep, weight, forMs }) => ({ when: printRule(tree), keep, weight, for: forMs })),
  )
}

/** The rate by the words of the documentation; `windows` are those that count for each rule. */
function expectedRate(
  rules: readonly TestRule[],
  windows: (rule: TestRule) => readonly (WindowMetrics | undefined)[],
  stream: StreamFacts,
  status: number | undefined,
  baseRate: number,
): number {
  if (stream.logType === AUDIT) return baseRate
  const names = ({ tree }: TestRule, name: string) =>
    comparisonsOf(tree).some(({ metric }) => metric === name)
  const winner = rules
    .filter((rule) => stream.logType !== METRIC || names(rule, 'log_type'))
    .filter((rule) => windows(rule).some((window) => evaluateRule(rule.tree, { ...stream, window, status })))
    .sort((a, b) => b.weight - a.weight || b.keep - a.keep)[0]
  if (winner === undefined) return baseRate
  return stream.level >= 5 && !names(winner, 'log_level') ? Math.max(baseRate, winner.keep) : winner.keep
}

/** As the kernel does: the table's rate, where it has one for the record's status, else the stream's. */
function decidedRate(decision: Decision, status: number | undefined, baseRate: number): number {
  const own = decision.rate ?? baseRate
  const entry = status === undefined ? Number.NaN : (decision.status?.[status] ?? Number.NaN)
  return Math.fround(Number.isNaN(entry) ? own : entry)
}

function assertSame(
  set: RuleSet,
  rules: readonly TestRule[],
  windows: (rule: TestRule) => readonly (WindowMetrics | undefined)[],
  input: DecideInput,
  statuses: readonly (number | undefined)[] = STATUSES,
): void {
  const decision = set.decide(input)
  for (const status of statuses) {
    const wanted = expectedRate(rules, windows, input, status, input.baseRate)
    if (decidedRate(decision, status, input.baseRate) === Math.fround(wanted)) continue
    const when = set.rules.map((rule) => rule.when)
    assert.fail(`status ${status}: expected ${wanted} of ${JSON.stringify({ input, when })}`)
  }
  for (const status of [undefined, 0, 200, 500, 999]) {
    const wanted = expectedRate(rules, windows, input, status, input.baseRate)
    assert.equal(set.explain(input, status)?.rate ?? input.baseRate, wanted)
  }
}

test('a compiled rule decides otherwise than its condition, for some status code', () => {
  const inputs = fc.array(fc.tuple(streamFacts, windowMetrics, rate), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(testRules, inputs, (rules, all) => {
      const set = compiled(rules)
      for (const [stream, window, baseRate] of all) {
        assertSame(set, rules, () => [window], { ...stream, window, baseRate })
      }
    }),
    { numRuns: 200 },
  )
})

test('a rule is forgotten before its time, or stays on beyond it', () => {
  const steps = fc.array(fc.tuple(windowMetrics, fc.constantFrom(1000, 1000, 1000, 500, 90_000)), {
    minLength: 1,
    maxLength: 8,
  })
  fc.assert(
    fc.property(testRules, streamFacts, steps, rate, (rules, stream, windows, baseRate) => {
      const set = compiled(rules)
      let held = set.createHeld()
      let nowMs = 5000
      const seen: { readonly window: WindowMetrics | undefined; readonly atMs: number }[] = []
      for (const [n, [window, stepMs]] of windows.entries()) {
        nowMs += stepMs
        seen.push({ window, atMs: nowMs })
        // As a restart does: the state goes through JSON.
        if (n === 2) held = set.createHeld(JSON.parse(JSON.stringify(held.state())))
        held.observe(window, nowMs)
        const counting = ({ forMs }: TestRule) =>
          seen.filter(({ atMs }) => atMs === nowMs || nowMs - atMs <= forMs).map((each) => each.window)
        assertSame(set, rules, counting, { ...stream, window, held, baseRate }, SOME_STATUSES)
      }
    }),
    { numRuns: 150 },
  )
})

const CART: DecideInput = {
  service: 'cart',
  namespace: 'shop',
  level: 3,
  logType: 0,
  window: undefined,
  baseRate: 0.1,
}
const INCIDENT: WindowMetrics = { errorRate: 0.08, p99Ms: 300 }
const CALM: WindowMetrics = { errorRate: 0.01, p99Ms: 50 }

function one(options: RuleOptions): RuleSet {
  return compileRules([options])
}

test('an incident ends its effect with itself, though it is to be kept for a while', () => {
  const set = one({ name: 'incident', when: 'error_rate > 0.05 AND p99_latency > 200ms', for: '30s' })
  const held = set.createHeld()
  const kept: number[] = []
  for (let second = 0; second < 60; second++) {
    const window = second >= 10 && second < 15 ? INCIDENT : CALM
    held.observe(window, second * 1000)
    if (set.decide({ ...CART, window, held }).rate === 1) kept.push(second)
  }
  // Last true in second 14, and 30 s from then.
  assert.deepEqual(
    kept,
    Array.from({ length: 35 }, (_, n) => 10 + n),
  )
})

test('halves of a condition that never held together count as held', () => {
  const set = one({ when: 'error_rate > 0.05 AND p99_latency > 200ms', for: '30s' })
  const held = set.createHeld()
  held.observe({ errorRate: 0.9, p99Ms: 1 }, 0)
  held.observe({ errorRate: 0, p99Ms: 999 }, 1000)
  assert.deepEqual(set.decide({ ...CART, window: CALM, held }), {})
})

test('a window that the caller has not at hand counts beside what is held', () => {
  const set = one({ when: 'NOT error_rate > 0.05' })
  const held = set.createHeld()
  assert.equal(set.decide({ ...CART, held }).rate, 1, 'nothing observed yet')
  held.observe(INCIDENT, 0)
  assert.deepEqual(set.decide({ ...CART, held }), {})
})

test('observe says nothing of a change, or tells of one every step', () => {
  const set = one({ when: 'error_rate > 0.05', for: '2s' })
  const held = set.createHeld()
  const changed = [CALM, CALM, INCIDENT, INCIDENT, CALM, CALM, CALM, CALM].map((window, n) =>
    held.observe(window, n * 1000),
  )
  assert.deepEqual(changed, [true, false, true, false, false, false, true, false])
})

test('a clock that goes back keeps a rule on for as long', () => {
  const set = one({ when: 'error_rate > 0.05', for: '2s' })
  const held = set.createHeld()
  held.observe(INCIDENT, 1_000_000)
  held.observe(CALM, 0)
  assert.equal(set.decide({ ...CART, window: CALM, held }).rate, 1)
  held.observe(CALM, 2001)
  assert.deepEqual(set.decide({ ...CART, window: CALM, held }), {})
})

test('a change of one rule ends what another holds', () => {
  const incident = { when: 'error_rate>0.05', for: '1m' }
  const before = one(incident).createHeld()
  before.observe(INCIDENT, 0)
  const set = compileRules([
    { when: 'p50_latency > 1s', keep: 0.3 },
    { ...incident, when: 'error_rate > 0.050', keep: 0.9 },
  ])
  const held = set.createHeld(before.state())
  held.observe(CALM, 1000)
  assert.equal(set.decide({ ...CART, window: CALM, held }).rate, 0.9)
})

test('what a rule holds for a service grows without end', () => {
  const when = Array.from({ length: 20 }, (_, n) => `error_rate > ${n / 20}`).join(' OR ')
  const other = Array.from({ length: 10 }, (_, n) => `p99_latency > ${n}ms`).join(' OR ')
  const set = one({ when: `${when} OR ${other}`, for: '90m' })
  const held = set.createHeld()
  for (let n = 0; n < 220; n++) {
    held.observe({ errorRate: (n % 20) / 20 + 0.01, p99Ms: Math.floor(n / 20) + 0.5 }, n * 1000)
    assert.ok(held.effective(0).length <= 64)
  }
  assert.equal(held.effective(0).length, 64)
})

test('the lighter rule wins, or the one that keeps less', () => {
  const rules = [
    { name: 'a', when: 'namespace = shop', keep: 0.2 },
    { name: 'b', when: 'service_name = cart', keep: 0.4 },
    { name: 'c', when: 'error_rate > 0.05', keep: 0.3, weight: 1 },
  ]
  const set = compileRules(rules)
  assert.deepEqual(set.decide({ ...CART, window: CALM }), { rate: 0.4, rule: 'b' })
  assert.deepEqual(set.decide({ ...CART, window: INCIDENT }), { rate: 0.3, rule: 'c' })
  assert.deepEqual(set.decide({ ...CART, service: 'x', namespace: 'y' }), {})
})

test('a table is made where a rate says it all, or made anew for each stream', () => {
  const set = one({ when: 'error_rate > 0.05 OR status_code IN [500, 502]' })
  const calm = set.decide({ ...CART, window: CALM })
  assert.equal(calm.rate, undefined)
  assert.deepEqual(
    STATUSES.slice(0, 1000).filter((status) => calm.status?.[status ?? 0] === 1),
    [500, 502],
  )
  assert.equal(calm.status?.filter((each) => Number.isNaN(each)).length, 998)
  const other = set.decide({ ...CART, service: 'other', window: CALM, baseRate: 0.5 })
  assert.equal(other.status, calm.status)
  assert.deepEqual(set.decide({ ...CART, window: INCIDENT }), { rate: 1, rule: 'rule 1' })
  assert.deepEqual(set.decide({ ...CART, window: CALM, baseRate: 1 }), {})
})

test('a rule for records without a status changes the rate of those with one', () => {
  const set = one({ when: 'NOT status_code = 500', keep: 0.5 })
  const { rate: own, status } = set.decide({ ...CART, baseRate: 0.25 })
  assert.deepEqual([own, status?.[500], status?.[200]], [0.5, 0.25, Number.NaN])
})

test('a bad rule is taken, or refused without its name', () => {
  const refused: readonly (readonly [RuleOptions, RegExp])[] = [
    [{ name: 'slow', when: 'p99_latency > 200' }, /^slow: column 15: expected a duration/],
    [{ when: 'x' }, /^rule 2: column 1: expected a metric/],
    [{ when: 'error_rate > 0', keep: 2 }, /^rule 2: keep is 2; expected a rate from 0 to 1/],
    [{ when: 'error_rate > 0', keep: Number.NaN }, /keep is NaN/],
    [{ when: 'error_rate > 0', weight: Number.POSITIVE_INFINITY }, /weight is Infinity/],
    [
      { when: 'error_rate > 0', for: '5 minutes' },
      /^rule 2: for is "5 minutes"; expected a duration such as/,
    ],
    [{ when: 'error_rate > 0', for: -1 }, /for is -1/],
  ]
  for (const [options, message] of refused) {
    assert.throws(() => compileRules([{ when: 'error_rate > 0' }, options]), { code: 'config.rule', message })
  }
  const many = Array.from({ length: RULES_MAX + 1 }, () => ({ when: 'error_rate > 0' }))
  assert.throws(() => compileRules(many), {
    code: 'config.rule',
    message: /there are 257 rules; at most 256/,
  })
})

test('an option without effect is taken in silence', () => {
  const set = one({ name: 'gate', when: 'status_code = 504', for: '30s' })
  assert.match(set.notes.join(), /^gate: for has no effect/)
  assert.deepEqual([set.usesStatus, set.usesWindow], [true, false])
  assert.deepEqual(one({ when: 'error_rate > 0', for: '30s' }).notes, [])
  assert.deepEqual([compileRules([]).usesStatus, compileRules([]).decide(CART)], [false, {}])
})
