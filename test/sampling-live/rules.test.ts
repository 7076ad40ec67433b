// Rules over live metrics: when they take hold, when they let go, what they may not touch, and the rate that a kept record carries.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBoosts } from '../../actors/traffic/boosts.js'
import { createStage, type Kept, type Line, weightOf } from './stage.js'

const counts = (seconds: readonly (readonly Kept[])[]) => seconds.map((kept) => kept.length)
const WINDOW = { length: '10s', records_min: 20 }
const INCIDENT = [
  { name: 'incident', when: 'error_rate > 0.05 AND p99_latency > 200ms', keep: 1, for: '30s' },
]
const CALM = (n: number): Line => ({ level: 'info', status: 200, latency_ms: 20 + (n % 30) })
/** 8 % of the answers fail, and 2 % take 300 ms. */
const BROKEN = (n: number): Line => ({
  level: 'info',
  status: n % 25 < 2 ? 503 : 200,
  latency_ms: n % 50 === 0 ? 300 : 30,
})

test('an incident: 8 % errors with a p99 of 300 ms keep all of the service from the next window on, until `for` has passed', () => {
  const stage = createStage({
    sampling: { tiers: { info: 0.1, debug: 0 }, window: WINDOW, rules: INCIDENT },
  })
  const calm = counts(stage.seconds(15, 500, CALM))
  assert.ok(
    calm.every((count) => count < 100),
    calm.join(),
  )
  const broken = counts(stage.seconds(25, 500, BROKEN))
  const from = broken.indexOf(500)
  assert.ok(from >= 1 && from <= 10, `all are kept from second ${from} on: ${broken.join()}`)
  assert.ok(broken.slice(from).every((count) => count === 500))
  assert.deepEqual(stage.chain.status()?.services[0]?.rules, ['incident'])
  const { window } = stage.chain.status()?.services[0] ?? {}
  assert.ok(Math.abs((window?.errorRate ?? 0) - 0.08) < 0.001, JSON.stringify(window))
  assert.ok(Math.abs((window?.p99Ms ?? 0) - 300) <= 3, JSON.stringify(window))
  const after = counts(stage.seconds(60, 500, CALM))
  const until = after.findIndex((count) => count < 500)
  assert.ok(until >= 30 && until <= 41, `falls back after ${until} seconds: ${after.join()}`)
  assert.ok(after.slice(until).every((count) => count < 100))
})

test('a rule counts as in force where its window changes nothing, or does not where it does', () => {
  const rules = [
    {
      name: 'mission',
      when: 'error_rate > 0.05 AND p99_latency > 200ms OR status_code IN [500, 502, 504]',
      for: '3s',
    },
    { name: 'failed', when: 'error_rate > 0.05 AND status_code >= 500' },
    { name: 'quiet', when: 'NOT (error_rate > 0.05 OR status_code = 502)' },
    { name: 'status', when: 'status_code = 500' },
  ]
  const stage = createStage({ sampling: { window: { ...WINDOW, length: '2s' }, rules } })
  const inForce = () => stage.chain.status()?.services[0]?.rules
  // Fewer than records_min say nothing, and the condition of `quiet` then holds.
  stage.seconds(2, 1, { status: 500 })
  assert.deepEqual(inForce(), ['quiet'])
  stage.seconds(3, 100, CALM)
  assert.deepEqual(inForce(), ['quiet'])
  stage.seconds(3, 100, BROKEN)
  assert.deepEqual(inForce(), ['mission', 'failed'])
  stage.seconds(3, 100, CALM)
  assert.deepEqual(inForce(), ['mission', 'quiet'], 'for `for`')
  stage.seconds(3, 100, CALM)
  assert.deepEqual(inForce(), ['quiet'])
})

test('only the service with the incident is kept, and its debug records too', () => {
  const stage = createStage({
    sampling: { tiers: { info: 0.01, debug: 0 }, window: WINDOW, rules: INCIDENT },
  })
  const mixed = (n: number): Line => {
    if (n % 3 === 0) return { ...CALM(n), service: 'calm' }
    return n % 30 === 2 ? { service: 'broken', level: 'debug' } : { ...BROKEN(n), service: 'broken' }
  }
  const kept = stage.seconds(12, 900, mixed).at(-1) ?? []
  const of = (service: string, level: string) =>
    kept.filter((each) => each.service_name === service && each.log_level === level).length
  assert.deepEqual([of('broken', 'INFO'), of('broken', 'DEBUG')], [570, 30])
  assert.ok(of('calm', 'INFO') < 20)
})

test('records of level ERROR count as errors of the window, those of audit and metric do not', () => {
  const stage = createStage({ sampling: { window: WINDOW } })
  const line = (n: number): Line => {
    if (n % 4 === 0) return { level: 'error' }
    return n % 4 === 1
      ? { level: 'error', log_type: 'audit' }
      : { level: 'info', log_type: n % 4 === 2 ? 'metric' : 'app' }
  }
  stage.seconds(5, 100, line)
  assert.equal(stage.chain.status()?.services[0]?.window.errorRate, 0.5)
})

test('fewer records than records_min say nothing', () => {
  const stage = createStage({ sampling: { window: WINDOW } })
  stage.seconds(5, 3, { level: 'error', latency_ms: 5 })
  assert.deepEqual(stage.chain.status()?.services[0]?.window, {})
})

test('a status rule decides record by record from the first record on; each carries its own rate and weight', () => {
  const rules = [
    { when: 'status_code IN [500, 502, 504]', keep: 1, weight: 2 },
    { when: 'status_code >= 400', keep: 0.5, weight: 1 },
  ]
  const stage = createStage({ sampling: { tiers: { info: 0.1 }, rules } })
  const statuses = [200, 502, 404, undefined]
  const line = (n: number): Line => ({ status: statuses[n % 4], n })
  stage.feed(8000, line)
  const kept = stage.second()
  for (const [status, rate] of [
    [200, 0.1],
    [404, 0.5],
    [502, undefined],
    [undefined, 0.1],
  ] as const) {
    const those = kept.filter((each) => each.status === status)
    assert.deepEqual([...new Set(those.map((each) => each.sample_rate))], [rate], `status ${status}`)
    // 2000 records of a rate p: standard deviation sqrt(2000 p (1 - p)); five of them.
    const p = rate ?? 1
    assert.ok(
      Math.abs(those.length - 2000 * p) <= 5 * Math.sqrt(2000 * p * (1 - p)),
      `${status}: ${those.length}`,
    )
  }
  const indexed = stage.chain.frames
    .flatMap((frame) => frame.index)
    .reduce((sum, { weight }) => sum + weight, 0)
  assert.ok(
    Math.abs(indexed - weightOf(kept)) < 1,
    'the index weighs a record by the rate that is written in it',
  )
})

test('audit records are kept whatever a rule says, and ERROR stays at its tier unless the rule names the level', () => {
  const lines = [{ level: 'error' }, { level: 'info', log_type: 'audit' }, { level: 'info' }]
  const levels = (rules: readonly object[]) => {
    const stage = createStage({ sampling: { tiers: { info: 1 }, rules } })
    stage.feed(3, (n) => lines[n] as Line)
    return stage.second().map((each) => `${each.log_level} ${String(each.log_type)}`)
  }
  assert.deepEqual(levels([{ when: 'service_name = cart', keep: 0 }]), ['ERROR app', 'INFO audit'])
  assert.deepEqual(levels([{ when: 'service_name = cart AND log_level = ERROR', keep: 0 }]), [
    'INFO audit',
    'INFO app',
  ])
})

test('a boost keeps one pod in full at once and until its end; too many, empty and past ones are refused', () => {
  const stage = createStage({ sampling: { tiers: { info: 0, debug: 0 } } })
  stage.seconds(2, 10)
  const nowMs = stage.chain.nowMs()
  const boost = (match: object, untilMs: number) =>
    stage.chain.send('traffic', { type: 'boost', match, untilMs })
  boost({}, nowMs + 5000)
  boost({ pod: 'cart-1' }, nowMs - 1)
  boost({ pod: 'other' }, nowMs + 5000)
  assert.deepEqual(counts(stage.seconds(1, 10)), [0])
  boost({ pod_uid: 'uid-1' }, nowMs + 4500)
  assert.deepEqual(counts(stage.seconds(5, 10, { level: 'debug' })), [10, 10, 10, 10, 0])
  for (let n = 0; n < 300; n++) boost({ service: `s${n}` }, nowMs + 100_000)
  stage.second()
  assert.equal(stage.chain.status()?.boosts.length, 256)
})

test('an operator ends and shortens a boost; one that comes by itself only lengthens it', () => {
  const boosts = createBoosts()
  const match = { service: 'cart' }
  const ends = () => boosts.list().map(({ untilMs }) => untilMs)
  assert.deepEqual(boosts.set({ match, untilMs: 5000 }, 0), { untilMs: 5000 })
  assert.deepEqual(boosts.set({ match, untilMs: 3000 }, 0), { untilMs: 3000 })
  assert.deepEqual(boosts.lengthen({ match, untilMs: 2000 }, 0), { untilMs: 3000 })
  assert.deepEqual(boosts.lengthen({ match, untilMs: 4000 }, 0), { untilMs: 4000 })
  assert.deepEqual(ends(), [4000])
  assert.deepEqual(boosts.set({ match, untilMs: 0 }, 0), { ended: true })
  assert.deepEqual(boosts.set({ match, untilMs: 0 }, 0), { ended: false })
  assert.deepEqual(ends(), [])
})

test('a reload of other settings lets an incident go on; other rules start anew from the same window', () => {
  const stage = createStage({ sampling: { tiers: { info: 0 }, window: WINDOW, rules: INCIDENT } })
  stage.seconds(12, 100, BROKEN)
  stage.chain.publish({ tiers: { info: 0, warn: 1 }, window: WINDOW, rules: INCIDENT })
  assert.deepEqual(counts(stage.seconds(1, 100, BROKEN)), [100])
  stage.chain.publish({ tiers: { info: 0 }, window: WINDOW, rules: [{ when: 'error_rate > 0.5' }] })
  assert.deepEqual(counts(stage.seconds(1, 100, BROKEN)), [0])
  stage.chain.publish({ tiers: { info: 0 }, window: WINDOW, rules: [{ when: 'error_rate > 0.01' }] })
  stage.second()
  assert.deepEqual(counts(stage.seconds(1, 100, BROKEN)), [100])
})
