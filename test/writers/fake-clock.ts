// A clock that only moves when the test says so; timers run in order of their time.
import type { Clock } from '../../runtime/clock.js'

export interface FakeClock extends Clock {
  /** Moves on by `ms`, running the timers that become due. */
  pass(ms: number): void
}

export function createFakeClock(): FakeClock {
  let now = 0
  let timers: { atMs: number; everyMs: number | undefined; run: () => void }[] = []
  function add(atMs: number, everyMs: number | undefined, run: () => void): () => void {
    const timer = { atMs, everyMs, run }
    timers.push(timer)
    return () => {
      timers = timers.filter((each) => each !== timer)
    }
  }
  return {
    now: () => 1_700_000_000_000 + now,
    monotonic: () => now,
    after: (delayMs, run) => add(now + delayMs, undefined, run),
    every: (intervalMs, run) => add(now + intervalMs, intervalMs, run),
    pass(ms) {
      const endMs = now + ms
      for (;;) {
        const next = timers.filter((timer) => timer.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0]
        if (next === undefined) break
        now = Math.max(now, next.atMs)
        if (next.everyMs === undefined) timers = timers.filter((timer) => timer !== next)
        else next.atMs += next.everyMs
        next.run()
      }
      now = endMs
    },
  }
}
