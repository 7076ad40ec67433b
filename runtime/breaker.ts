// The circuit breaker: stops asking a backend that fails, and lets single probes through until one succeeds.
import type { Clock } from './clock.js'

export type BreakerState = 'closed' | 'open' | 'half_open'

export interface BreakerOptions {
  /** Time over which failures are counted, ms. */
  readonly window: number
  /** Share of failed requests above which it opens. */
  readonly failed_share: number
  /** Requests in the window below which it stays closed. */
  readonly requests_min: number
  /** How long it stays open before a probe, ms. */
  readonly open: number
}

export interface Breaker {
  state(): BreakerState
  /** A pass for one request, or undefined when none may go out now; half-open there is one, until `record` or `abandon` ends it. */
  tryPass(): BreakerPass | undefined
  /** Time until tryPass can be true, ms; 0 when only a probe's result can change it. */
  waitMs(): number
  /** The result of a request that was let through. One that was let through before the state changed says nothing any more. */
  record(pass: BreakerPass, ok: boolean): void
  /** A request that was let through ended without a verdict. */
  abandon(pass: BreakerPass): void
  /** An operator's word: held open or closed, whatever the requests say; undefined: closed and left to itself again. */
  hold(held: 'open' | 'closed' | undefined): void
}

/** The number of the state (they are counted) in which the request was let through. */
export type BreakerPass = number

const BUCKETS = 10

/** closed → open (a request failed, and over `failed_share` of at least `requests_min` in `window`) → half-open after `open` → closed by one success. */
export function createBreaker(
  options: BreakerOptions,
  clock: Clock,
  onChange: (state: BreakerState) => void = () => undefined,
): Breaker {
  const bucketMs = Math.max(1, options.window / BUCKETS)
  let buckets: { slot: number; failed: number; all: number }[] = []
  let state: BreakerState = 'closed'
  let openedMs = 0
  let probing = false
  let turn: BreakerPass = 1
  let held: 'open' | 'closed' | undefined

  function change(next: BreakerState): void {
    if (state === next) return
    state = next
    turn++
    probing = false
    if (next === 'open') openedMs = clock.monotonic()
    buckets = []
    onChange(next)
  }

  function count(ok: boolean): boolean {
    const slot = Math.floor(clock.monotonic() / bucketMs)
    buckets = buckets.filter((bucket) => bucket.slot > slot - BUCKETS)
    const last = buckets.at(-1)
    const bucket = last?.slot === slot ? last : { slot, failed: 0, all: 0 }
    if (bucket !== last) buckets.push(bucket)
    bucket.all++
    if (!ok) bucket.failed++
    const all = buckets.reduce((sum, each) => sum + each.all, 0)
    const failed = buckets.reduce((sum, each) => sum + each.failed, 0)
    return all >= options.requests_min && failed > options.failed_share * all
  }

  return {
    state: () => state,
    tryPass() {
      if (held === undefined && state === 'open' && clock.monotonic() - openedMs >= options.open)
        change('half_open')
      if (state === 'open' || probing) return undefined
      probing = state === 'half_open'
      return turn
    },
    waitMs: () =>
      state === 'open' && held === undefined ? Math.max(1, openedMs + options.open - clock.monotonic()) : 0,
    record(pass, ok) {
      if (pass !== turn || held !== undefined) return
      if (state === 'half_open') change(ok ? 'closed' : 'open')
      // Not by a success, though the failures before it may be too many with it: what failed is tried again and becomes the probe, while
      // behind a success there may be nothing left that is, and nothing new comes as long as it is open.
      else if (state === 'closed' && count(ok) && !ok) change('open')
    },
    abandon(pass) {
      if (pass === turn) probing = false
    },
    hold(next) {
      held = next
      buckets = []
      change(next ?? 'closed')
    },
  }
}
