// The info rate follows a service's traffic: how soon, how closely, and what it does not follow.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createStage, type Kept, weightOf } from './stage.js'

const counts = (seconds: readonly (readonly Kept[])[]) => seconds.map((kept) => kept.length)
const LIVE = { info: { target_per_second: 100, floor: 0.001 } }
/** Stated: within so many seconds of a change the kept volume is within 20 % of the target. */
const SETTLED_S = 10

test('10 → 10,000 → 10 records a second: the target is kept to from ten seconds after each change', () => {
  const stage = createStage({ sampling: LIVE })
  assert.deepEqual(counts(stage.seconds(20, 10)), Array(20).fill(10))
  const busy = stage.seconds(40, 10_000)
  // 100 kept of 10,000: standard deviation 10; the mean of 30 seconds has one of 2.
  const settled = counts(busy.slice(SETTLED_S))
  const mean = settled.reduce((sum, count) => sum + count, 0) / settled.length
  assert.ok(mean > 90 && mean < 110, `${mean} kept a second`)
  assert.ok(
    settled.every((count) => count > 80 - 40 && count < 120 + 40),
    `each second within 20 % and four standard deviations: ${settled.join()}`,
  )
  const weight = weightOf(busy.flat()) / 400_000
  assert.ok(weight > 0.97 && weight < 1.03, `the kept records stand for ${weight} of all`)
  const calm = counts(stage.seconds(20, 10))
  assert.deepEqual(calm.slice(SETTLED_S), Array(10).fill(10))
})

test('the floor is respected however busy a service is', () => {
  const stage = createStage({ sampling: { info: { target_per_second: 10, floor: 0.05 } } })
  const settled = stage.seconds(20, 10_000).slice(SETTLED_S)
  assert.ok(settled.flat().every(({ sample_rate }) => sample_rate === 0.05))
})

for (const share of [1, 0.7, 0.5]) {
  test(`a burst of one second, ${share} of it in the first of two steps, does not lower the rate`, () => {
    const stage = createStage({ sampling: LIVE })
    stage.seconds(15, 50)
    stage.seconds(1, 50 + 10_000 * share)
    stage.seconds(1, 50 + 10_000 * (1 - share))
    assert.deepEqual(counts(stage.seconds(15, 50)), Array(15).fill(50))
  })
}

test('a burst that comes every ten seconds is never thinned out, though it is most of the traffic', () => {
  const stage = createStage({ sampling: LIVE })
  stage.seconds(5, 10)
  const bursts = Array.from({ length: 6 }, () => {
    const [burst = []] = stage.seconds(1, 20_000)
    stage.seconds(9, 10)
    return burst.length
  })
  assert.deepEqual(bursts.slice(0, 2), [20_000, 20_000])
  // About 2,000 a second are thinned to 100: 1,000 of a burst, standard deviation 31.
  assert.ok(
    bursts.slice(2).every((count) => Math.abs(count - 1000) < 200),
    bursts.join(),
  )
})

test('bursts further apart than the window do not lower the rate of what is between them', () => {
  const stage = createStage({ sampling: LIVE })
  stage.seconds(15, 50)
  for (let n = 0; n < 3; n++) {
    assert.deepEqual(counts(stage.seconds(1, 10_000)), [10_000])
    assert.deepEqual(counts(stage.seconds(14, 50)), Array(14).fill(50))
  }
})

test('a service that was never seen is kept in full until it was seen for three full seconds', () => {
  const stage = createStage({ sampling: LIVE })
  stage.seconds(20, 5)
  const fresh = counts(stage.seconds(8, 2000, { service: 'new' }))
  assert.deepEqual(fresh.slice(0, 4), [2000, 2000, 2000, 2000])
  assert.ok((fresh.at(-1) ?? 0) < 160, fresh.join())
})

test('a fixed rate of a service or of the tier is not touched by the traffic, and the namespace is the closer name', () => {
  const services = { cart: 0.5, 'shop/cart': 0.25, constructor: 0 }
  const stage = createStage({ sampling: { info: { ...LIVE.info, services } } })
  const rates = new Set(stage.seconds(12, 1000).flatMap((kept) => kept.map((each) => each.sample_rate)))
  assert.deepEqual([...rates], [0.25])
  const fixed = createStage({ sampling: { ...LIVE, tiers: { info: 1 } } })
  assert.deepEqual(counts(fixed.seconds(12, 1000)), Array(12).fill(1000))
})

test("the target is the cluster's: the other nodes' counts are added, and age out when nobody tells of them", () => {
  const stage = createStage({ sampling: LIVE })
  const peers = {
    type: 'traffic_peers',
    services: [{ namespace: 'shop', service: 'cart', info: 900 }],
  } as const
  const told = Array.from({ length: 20 }, () => {
    stage.chain.send('traffic', peers)
    return stage.seconds(1, 100).flat()
  }).slice(SETTLED_S)
  assert.ok(told.flat().every(({ sample_rate }) => sample_rate === 0.1))
  const alone = counts(stage.seconds(30, 100))
  assert.deepEqual(alone.slice(-10), Array(10).fill(100))
})

test('services beyond the bound share one rate, and leave room when others have been silent', () => {
  const stage = createStage({ sampling: { info: { ...LIVE.info, services_max: 2 } } })
  const many = (n: number) => ({ service: n < 20 ? `s${n % 2}` : `more${n % 30}` })
  stage.seconds(12, 1000, many)
  const kept = stage.seconds(1, 1000, many).flat()
  const rateOf = (service: string) => kept.find((each) => each.service_name === service)?.sample_rate ?? 1
  assert.deepEqual([rateOf('s0'), rateOf('s1')], [1, 1])
  const shared = new Set(
    kept.flatMap((each) => (each.service_name.startsWith('more') ? [each.sample_rate] : [])),
  )
  assert.deepEqual(
    [...shared].map((rate) => Math.round(100 * (rate ?? 1))),
    [10],
  )
  assert.deepEqual([stage.chain.status()?.tracked, stage.chain.status()?.overflow], [2, true])
  stage.seconds(305, 1, { service: 'later' })
  assert.equal(stage.chain.status()?.tracked, 1)
  assert.ok(stage.chain.status()?.services.some(({ service }) => service === 'later'))
})

test('a restart of the threads goes on with the rates that were', () => {
  const before = createStage({ sampling: LIVE })
  before.seconds(15, 10_000)
  const after = createStage({ live: before.chain.memory })
  const rates = after.seconds(15, 10_000).map((kept) => kept.length)
  assert.ok(
    rates.every((count) => count > 40 && count < 160),
    `kept a second after the restart: ${rates.join()}`,
  )
})

test('debug records of a named service are kept, of one namespace only where it is named', () => {
  const names = (debug_services: readonly string[]) => {
    const stage = createStage({ sampling: { debug_services } })
    stage.feed(2, (n) => ({ level: 'debug', service: n === 0 ? 'cart' : 'pay' }))
    return stage.second().map((each) => each.service_name)
  }
  assert.deepEqual(names(['cart']), ['cart'])
  assert.deepEqual(names(['shop/pay', 'other/cart']), ['pay'])
})

test('a sampler that stood still for an hour costs one step, not thousands', () => {
  const stage = createStage({ sampling: LIVE })
  stage.seconds(12, 500)
  stage.feed(1000)
  stage.chain.advance(3_600_000)
  stage.second()
  assert.deepEqual(counts(stage.seconds(1, 50)), [50])
})
