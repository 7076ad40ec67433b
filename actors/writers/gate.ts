// The way out to a backend: breaker, concurrency limit and cool-down after a refusal, in front of one queue of waiting batches.
import { type BreakerPass, type BreakerState, createBreaker } from '../../runtime/breaker.js'
import type { Clock } from '../../runtime/clock.js'
import { createLimiter, type LimiterToken } from '../../runtime/limiter.js'
import { backoffMs } from '../../runtime/retry.js'
import type { DeliveryOptions } from '../../protocol/config/backends.js'
import type { Fault } from './writer.js'

/** Leave to send one request. */
export interface Permit {
  readonly place: LimiterToken
  readonly pass: BreakerPass
}

export interface Gate {
  /** Waits for the way to be free; undefined once the gate is closed. First come, first served. */
  enter(): Promise<Permit | undefined>
  /**
   * Ends a request with its fault, if there was one; `abandoned`: it was cut off and says nothing about the backend. `partly`: in
   * spite of the fault something was stored, so that the backend is alive.
   */
  leave(permit: Permit, outcome: Fault | 'stored' | 'abandoned', partly?: boolean): void
  readonly breaker: () => BreakerState
  /** See Breaker.hold. */
  hold(held: 'open' | 'closed' | undefined): void
  readonly limit: () => number
  readonly inFlight: () => number
  readonly waiting: () => number
  close(): void
}

type GateOptions = Pick<DeliveryOptions, 'breaker' | 'concurrency_max' | 'retry'>

export function createGate(
  options: GateOptions,
  clock: Clock,
  random: () => number,
  onBreaker: (state: BreakerState) => void,
): Gate {
  const breaker = createBreaker(options.breaker, clock, onBreaker)
  const limiter = createLimiter({ max: options.concurrency_max, initial: 2 }, clock)
  const waiters: ((permit: Permit | undefined) => void)[] = []
  let overloads = 0
  let coolUntilMs = 0
  let cancelTimer: (() => void) | undefined
  let closed = false

  /** Arms one timer for the moment at which time alone opens the way. */
  function wait(delayMs: number): void {
    cancelTimer?.()
    cancelTimer = clock.after(delayMs, () => {
      cancelTimer = undefined
      pump()
    })
  }

  function pump(): void {
    while (waiters.length > 0) {
      const coolMs = coolUntilMs - clock.monotonic()
      if (coolMs > 0) return wait(coolMs)
      const place = limiter.tryAcquire()
      if (place === undefined) return
      const pass = breaker.tryPass()
      if (pass === undefined) {
        limiter.release(place, 'none')
        const waitMs = breaker.waitMs()
        return waitMs > 0 ? wait(waitMs) : undefined
      }
      waiters.shift()?.({ place, pass })
    }
  }

  function judge({ place, pass }: Permit, outcome: Fault | 'stored' | 'abandoned', partly: boolean): void {
    if (outcome === 'abandoned') {
      limiter.release(place, 'none')
      breaker.abandon(pass)
    } else if (outcome === 'stored') {
      overloads = 0
      limiter.release(place, 'ok')
      breaker.record(pass, true)
    } else {
      limiter.release(place, outcome.kind === 'blocked' ? 'none' : 'overload')
      breaker.record(pass, partly)
      // A refusal for load is for all batches, not only for this one: nobody asks again before the wait is over.
      if (outcome.kind === 'overload' || outcome.retryAfterMs !== undefined) {
        const waitMs = backoffMs(options.retry, ++overloads, random, outcome.retryAfterMs)
        coolUntilMs = Math.max(coolUntilMs, clock.monotonic() + waitMs)
      }
    }
  }

  return {
    enter() {
      if (closed) return Promise.resolve(undefined)
      return new Promise((resolve) => {
        waiters.push(resolve)
        pump()
      })
    },
    leave(permit, outcome, partly = false) {
      judge(permit, outcome, partly)
      pump()
    },
    breaker: () => breaker.state(),
    hold(held) {
      breaker.hold(held)
      coolUntilMs = 0
      pump()
    },
    limit: () => limiter.limit(),
    inFlight: () => limiter.inFlight(),
    waiting: () => waiters.length,
    close() {
      closed = true
      cancelTimer?.()
      for (const waiter of waiters.splice(0)) waiter(undefined)
    },
  }
}
