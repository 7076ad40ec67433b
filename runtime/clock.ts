// Time and chance, injected so that tests run without sleeping and fail the same way twice.

export interface Clock {
  /** Wall clock, ms since the epoch. */
  now(): number
  /** Monotonic, ms. */
  monotonic(): number
  /** A timer that does not hold the process open when `unref`; returns a function that cancels it. */
  after(delayMs: number, run: () => void): () => void
  /** The first time may come after half of the interval. */
  every(intervalMs: number, run: () => void): () => void
}

/**
 * From this interval on all that runs every so often does so at the same moments, in all threads of a process: most of what an idle node
 * costs is waking up. They are counted from the start of the process, for a thousand nodes at one moment would be a load of their own.
 */
const ALIGNED_MS = 500
/** A longer timer of Node's runs at once (nodejs.org/api/timers.html): it is waited for in parts. */
export const TIMER_MS_MAX = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, run) {
    let timer: NodeJS.Timeout | undefined
    const arm = (leftMs: number): void => {
      const partMs = Math.min(leftMs, TIMER_MS_MAX)
      timer = setTimeout(() => (leftMs > partMs ? arm(leftMs - partMs) : run()), partMs)
    }
    arm(delayMs)
    return () => clearTimeout(timer)
  },
  every(intervalMs, run) {
    if (intervalMs < ALIGNED_MS) {
      const timer = setInterval(run, intervalMs)
      return () => clearInterval(timer)
    }
    let timer: NodeJS.Timeout | undefined
    const arm = (): void => {
      const leftMs = intervalMs - ((process.uptime() * 1000) % intervalMs)
      timer = setTimeout(tick, Math.ceil(leftMs < intervalMs / 2 ? leftMs + intervalMs : leftMs))
    }
    const tick = (): void => {
      arm()
      run()
    }
    arm()
    return () => clearTimeout(timer)
  },
}

/** Resolves after `delayMs`, or at once when the signal aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', stop)
      resolve()
    })
    function stop(): void {
      cancel()
      resolve()
    }
    signal?.addEventListener('abort', stop, { once: true })
  })
}
