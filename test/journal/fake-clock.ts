// A clock that stands still until it is told to go on.
import type { Clock } from '../../runtime/clock.js'

export interface FakeClock extends Clock {
  /** Runs every timer due within the next `ms`, in order, letting promises settle in between. */
  advance(ms: number): Promise<void>
  timers(): number
}

interface Timer {
  dueMs: number
  readonly everyMs: number | undefined
  readonly run: () => void
}

/** Lets everything that is ready run, file operations included. */
export async function settle(turns = 30): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** `quiet` resolves when what a timer has set off is done: file operations take real time. */
export function createFakeClock(startMs = 1_000_000, quiet: () => Promise<void> = settle): FakeClock {
  let nowMs = startMs
  const timers = new Set<Timer>()
  const add = (delayMs: number, everyMs: number | undefined, run: () => void) => {
    const timer: Timer = { dueMs: nowMs + delayMs, everyMs, run }
    timers.add(timer)
    return () => void timers.delete(timer)
  }
  return {
    now: () => nowMs,
    monotonic: () => nowMs,
    after: (delayMs, run) => add(delayMs, undefined, run),
    every: (intervalMs, run) => add(intervalMs, intervalMs, run),
    timers: () => timers.size,
    async advance(ms) {
      const endMs = nowMs + ms
      for (;;) {
        const next = [...timers].filter(({ dueMs }) => dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs)[0]
        if (next === undefined) break
        nowMs = Math.max(nowMs, next.dueMs)
        if (next.everyMs === undefined) timers.delete(next)
        else next.dueMs += next.everyMs
        next.run()
        await quiet()
      }
      nowMs = endMs
      await quiet()
    },
  }
}
