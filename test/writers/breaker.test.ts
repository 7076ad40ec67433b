// Breaker, limiter, retry waits and the gate that joins them, on a clock that the test moves.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createGate, type Permit } from '../../actors/writers/gate.js'
import type { Fault } from '../../actors/writers/writer.js'
import { type BreakerPass, createBreaker } from '../../runtime/breaker.js'
import { createLimiter } from '../../runtime/limiter.js'
import { backoffMs, parseRetryAfterMs } from '../../runtime/retry.js'
import { createFakeClock } from './fake-clock.js'

const options = { window: 10_000, failed_share: 0.6, requests_min: 5, open: 30_000 }

function pass(breaker: ReturnType<typeof createBreaker>): BreakerPass {
  const it = breaker.tryPass()
  assert.notEqual(it, undefined)
  return it as BreakerPass
}

test('a few failures among many do not open the breaker, most of them do', () => {
  const clock = createFakeClock()
  const breaker = createBreaker(options, clock)
  for (let n = 0; n < 20; n++) {
    breaker.record(pass(breaker), n % 2 === 1)
    clock.pass(100)
  }
  assert.equal(breaker.state(), 'closed')
  for (let n = 0; n < 20 && breaker.state() === 'closed'; n++) breaker.record(pass(breaker), false)
  assert.equal(breaker.state(), 'open')
})

test('four failures alone do not open it, and failures that lie outside the window are forgotten', () => {
  const clock = createFakeClock()
  const breaker = createBreaker(options, clock)
  for (let n = 0; n < 40; n++) {
    breaker.record(pass(breaker), false)
    clock.pass(2600)
  }
  assert.equal(breaker.state(), 'closed')
})

test('a success never opens it: behind it there may be nothing left that would be the probe', () => {
  const breaker = createBreaker(options, createFakeClock())
  for (let n = 0; n < 4; n++) breaker.record(pass(breaker), false)
  breaker.record(pass(breaker), true)
  assert.equal(breaker.state(), 'closed')
  breaker.record(pass(breaker), false)
  assert.equal(breaker.state(), 'open')
})

test('while open nothing passes; half-open one probe at a time, whose result decides', () => {
  const clock = createFakeClock()
  const breaker = createBreaker(options, clock)
  const late = pass(breaker)
  for (let n = 0; n < 5; n++) breaker.record(pass(breaker), false)
  assert.equal(breaker.tryPass(), undefined)
  clock.pass(29_999)
  assert.equal(breaker.tryPass(), undefined)
  assert.equal(breaker.waitMs(), 1)
  clock.pass(1)
  const probe = pass(breaker)
  assert.equal(breaker.tryPass(), undefined)
  // A request from before the outage that ends now says nothing about the probe.
  breaker.record(late, false)
  assert.equal(breaker.state(), 'half_open')
  breaker.record(probe, false)
  assert.equal(breaker.state(), 'open')
  clock.pass(30_000)
  breaker.abandon(pass(breaker))
  breaker.record(pass(breaker), true)
  assert.equal(breaker.state(), 'closed')
})

test('property: the breaker never lets more than one request through between open and closed', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom('ask', 'ok', 'fail', 'abandon', 'wait'), fc.nat(20_000))),
      (steps) => {
        const clock = createFakeClock()
        const breaker = createBreaker(options, clock)
        const passes: { pass: BreakerPass; state: string }[] = []
        for (const [step, ms] of steps) {
          if (step === 'wait') clock.pass(ms)
          else if (step === 'ask') {
            const it = breaker.tryPass()
            if (it !== undefined) passes.push({ pass: it, state: breaker.state() })
          } else {
            const it = passes.splice(ms % Math.max(1, passes.length), 1)[0]
            if (it === undefined) continue
            if (step === 'abandon') breaker.abandon(it.pass)
            else breaker.record(it.pass, step === 'ok')
          }
          const probes = passes.filter(
            (each) => each.state === 'half_open' && breaker.state() === 'half_open',
          )
          const newest = Math.max(0, ...probes.map((each) => each.pass))
          assert.ok(probes.filter((each) => each.pass === newest).length <= 1)
          assert.ok(breaker.state() !== 'open' || breaker.waitMs() > 0)
        }
      },
    ),
  )
})

test('property: the limit stays within its bounds and places are never overdrawn', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 64 }),
      fc.array(fc.tuple(fc.constantFrom('ok', 'overload', 'none', 'take'), fc.nat(3000))),
      (max, steps) => {
        const clock = createFakeClock()
        const limiter = createLimiter({ max, initial: 2 }, clock)
        const taken: NonNullable<ReturnType<typeof limiter.tryAcquire>>[] = []
        for (const [step, ms] of steps) {
          clock.pass(ms)
          if (step === 'take') {
            const token = limiter.tryAcquire()
            assert.equal(token === undefined, taken.length >= limiter.limit())
            if (token !== undefined) taken.push(token)
          } else {
            const token = taken.shift()
            if (token !== undefined) limiter.release(token, step)
          }
          assert.ok(limiter.limit() >= 1 && limiter.limit() <= max)
          assert.equal(limiter.inFlight(), taken.length)
        }
      },
    ),
  )
})

test('the limit rises while answers are quick, halves once for refusals that came together', () => {
  const clock = createFakeClock()
  const limiter = createLimiter({ max: 8 }, clock)
  for (let round = 0; round < 60; round++) {
    const tokens = []
    for (let token = limiter.tryAcquire(); token !== undefined; token = limiter.tryAcquire())
      tokens.push(token)
    clock.pass(10)
    for (const token of tokens) limiter.release(token, 'ok')
  }
  assert.equal(limiter.limit(), 8)
  const together = [limiter.tryAcquire(), limiter.tryAcquire(), limiter.tryAcquire()]
  clock.pass(10)
  for (const token of together) limiter.release(token as NonNullable<typeof token>, 'overload')
  assert.equal(limiter.limit(), 4)
})

test('waits double up to their bound, are spread over the whole of it, and never end before Retry-After', () => {
  const policy = { initial: 200, max: 30_000 }
  assert.deepEqual(
    [1, 2, 3, 9, 100].map((n) => backoffMs(policy, n, () => 0.5)),
    [100, 200, 400, 15_000, 15_000],
  )
  assert.equal(
    backoffMs(policy, 1, () => 0, 7000),
    7000,
  )
  assert.equal(parseRetryAfterMs(' 12 ', 0), 12_000)
  assert.equal(parseRetryAfterMs('Mon, 23 Nov 2026 10:00:05 GMT', Date.UTC(2026, 10, 23, 10)), 5000)
  assert.equal(parseRetryAfterMs('99999999', 0), 600_000)
  assert.equal(parseRetryAfterMs('soon', 0), undefined)
  assert.equal(parseRetryAfterMs(undefined, 0), undefined)
})

const gateOptions = { breaker: options, concurrency_max: 4, retry: { initial: 200, max: 30_000 } }
const overload: Fault = { kind: 'overload', reason: '429', retryAfterMs: 5000 }

test('a refusal for load holds back every batch until the time the server asked for', async () => {
  const clock = createFakeClock()
  const gate = createGate(
    gateOptions,
    clock,
    () => 0,
    () => undefined,
  )
  const first = (await gate.enter()) as Permit
  gate.leave(first, overload)
  let entered = false
  const waiting = gate.enter().then((permit) => {
    entered = true
    return permit
  })
  clock.pass(4999)
  await Promise.resolve()
  assert.equal(entered, false)
  clock.pass(1)
  assert.notEqual(await waiting, undefined)
})

test('those who wait at an open breaker are let through one by one, in order, and closing lets the rest go', async () => {
  const clock = createFakeClock()
  const states: string[] = []
  const gate = createGate(
    gateOptions,
    clock,
    () => 0,
    (state) => states.push(state),
  )
  for (let n = 0; n < 5; n++) gate.leave((await gate.enter()) as Permit, { kind: 'down', reason: '503' })
  assert.deepEqual(states, ['open'])
  const order: number[] = []
  const permits = [1, 2, 3].map((n) =>
    gate.enter().then((permit) => {
      order.push(n)
      return permit as Permit
    }),
  )
  clock.pass(30_000)
  const probe = await (permits[0] as Promise<Permit>)
  assert.deepEqual(order, [1])
  gate.leave(probe, { kind: 'down', reason: '503' })
  clock.pass(30_000)
  gate.leave(await (permits[1] as Promise<Permit>), 'stored')
  gate.leave(await (permits[2] as Promise<Permit>), 'stored')
  assert.deepEqual(order, [1, 2, 3])
  assert.deepEqual(states, ['open', 'half_open', 'open', 'half_open', 'closed'])
  gate.close()
  assert.equal(await gate.enter(), undefined)
})
