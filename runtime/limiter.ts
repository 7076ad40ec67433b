// The adaptive concurrency limit: how many requests may be in flight, learnt from refusals and from latency.
import type { Clock } from './clock.js'

export interface Limiter {
  /** Requests that may be in flight, 1 to max. */
  limit(): number
  inFlight(): number
  /** Takes a place; gives a token for `release`, or undefined when all are taken. */
  tryAcquire(): LimiterToken | undefined
  release(token: LimiterToken, verdict: LimiterVerdict): void
}

/** ok: counts latency and may raise the limit; overload: lowers it; none: says nothing about load. */
export type LimiterVerdict = 'ok' | 'overload' | 'none'

export interface LimiterToken {
  readonly startedMs: number
  /** All places were taken when this one was: only then a good answer is a reason for more. */
  readonly full: boolean
}

/** Weight of one answer in the long-run mean of latency. */
const LEARNING = 0.05
/** An answer that took this many times the mean, plus the slack, is a sign of a queue at the server. */
const SLOW_FACTOR = 2
const SLOW_SLACK_MS = 100

/**
 * Additive increase, multiplicative decrease: + 1/limit for a good answer at full use, halved by a refusal (once for all requests
 * that were in flight together), a tenth less for an answer far slower than the mean (the idea of Netflix's concurrency-limits and
 * of Vector's adaptive request concurrency).
 */
export function createLimiter(
  options: { readonly max: number; readonly initial?: number },
  clock: Clock,
): Limiter {
  let limit = Math.min(options.max, Math.max(1, options.initial ?? 1))
  let inFlight = 0
  let meanMs: number | undefined
  let loweredMs = -1

  function lower(token: LimiterToken, factor: number): void {
    if (token.startedMs < loweredMs) return
    limit = Math.max(1, limit * factor)
    loweredMs = clock.monotonic()
  }

  return {
    limit: () => Math.floor(limit),
    inFlight: () => inFlight,
    tryAcquire() {
      if (inFlight >= Math.floor(limit)) return undefined
      inFlight++
      return { startedMs: clock.monotonic(), full: inFlight >= Math.floor(limit) }
    },
    release(token, verdict) {
      inFlight--
      if (verdict === 'none') return
      if (verdict === 'overload') return lower(token, 0.5)
      const tookMs = clock.monotonic() - token.startedMs
      const slow = meanMs !== undefined && tookMs > meanMs * SLOW_FACTOR + SLOW_SLACK_MS
      meanMs = meanMs === undefined ? tookMs : meanMs + LEARNING * (tookMs - meanMs)
      if (slow) lower(token, 0.9)
      else if (token.full) limit = Math.min(options.max, limit + 1 / limit)
    },
  }
}
