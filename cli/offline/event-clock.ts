// The clock of a chain that has no node: it stands where the input's own times have come to, and timers fire as it moves.
import type { Clock } from '../../runtime/clock.js'

export interface EventClock extends Clock {
  /** Moves on to this time (ms since the epoch), second by second; back it never goes. */
  advanceTo(ms: number): void
}

const STEP_MS = 1000
/** Of a longer silence only so much is lived through: by then every service is forgotten (actors/traffic/traffic.ts) and every wait is over. */
const SILENCE_MAX_MS = 600_000

interface Timer {
  readonly everyMs: number
  readonly run: () => void
  dueMs: number
}

export function createEventClock(startMs: number): EventClock {
  const timers = new Set<Timer>()
  let wallMs = startMs
  let passedMs = 0
  function add(timer: Timer): () => void {
    timers.add(timer)
    return () => void timers.delete(timer)
  }
  function step(ms: number): void {
    wallMs += ms
    passedMs += ms
    for (const timer of timers) {
      if (timer.dueMs > passedMs) continue
      if (timer.everyMs === 0) timers.delete(timer)
      timer.dueMs = passedMs + timer.everyMs
      timer.run()
    }
  }
  return {
    now: () => wallMs,
    monotonic: () => passedMs,
    after: (delayMs, run) => add({ everyMs: 0, dueMs: passedMs + delayMs, run }),
    every: (everyMs, run) => add({ everyMs, dueMs: passedMs + everyMs, run }),
    advanceTo(ms) {
      const silentUntilMs = wallMs + SILENCE_MAX_MS
      while (wallMs < ms && wallMs < silentUntilMs) step(Math.min(STEP_MS, ms - wallMs))
      wallMs = Math.max(wallMs, ms)
    },
  }
}
