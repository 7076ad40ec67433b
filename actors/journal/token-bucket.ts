// A token bucket in bytes: bounds the rate of backfill, lets a small gap through at once.
import type { Clock } from '../../runtime/clock.js'

export interface TokenBucket {
  /** True while there is something left; a frame may overdraw it, and the next waits until that is paid back. */
  open(): boolean
  take(bytes: number): void
  /** Until open() holds; 0 when it does. */
  waitMs(): number
}

/** `bytesPerSecond` 0 = no bound. `burstBytes`: what may go at once after a rest. */
export function createTokenBucket(clock: Clock, bytesPerSecond: number, burstBytes: number): TokenBucket {
  let level = burstBytes
  let filledMs = clock.monotonic()
  const unbounded = bytesPerSecond <= 0

  function refill(): void {
    const nowMs = clock.monotonic()
    level = Math.min(burstBytes, level + ((nowMs - filledMs) / 1000) * bytesPerSecond)
    filledMs = nowMs
  }

  return {
    open() {
      refill()
      return unbounded || level > 0
    },
    take(bytes) {
      refill()
      if (!unbounded) level -= bytes
    },
    waitMs() {
      refill()
      return unbounded || level > 0 ? 0 : Math.ceil(((1 - level) / bytesPerSecond) * 1000)
    },
  }
}
