// When a crashed group may start again: exponential backoff with jitter, at most R restarts in T ms.
import type { Clock } from './clock.js'

export interface RestartPolicyOptions {
  readonly max: number
  readonly windowMs: number
}

const FIRST_DELAY_MS = 100
const LAST_DELAY_MS = 10_000

/** `next()` gives the delay before the next restart, or undefined when the node should give up. */
export function createRestartPolicy(
  options: RestartPolicyOptions,
  clock: Clock,
  random: () => number,
): { next(): number | undefined } {
  let recent: number[] = []
  return {
    next() {
      const now = clock.monotonic()
      recent = recent.filter((at) => now - at < options.windowMs)
      if (recent.length >= options.max) return undefined
      const ceiling = Math.min(LAST_DELAY_MS, FIRST_DELAY_MS * 2 ** recent.length)
      recent.push(now)
      return ceiling / 2 + (random() * ceiling) / 2
    },
  }
}
