// Time and chance, injected so that tests run without sleeping and fail the same way twice.

export interface Clock {
  /** Wall clock, ms since the epoch. */
  now(): number
  /** Monotonic, ms. */
  monotonic(): number
  /** A timer that does not hold the process open when `unref`; returns a function that cancels it. */
  after(delayMs: number, run: () => void): () => void
  every(intervalMs: number, run: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
  every(intervalMs, run) {
    const timer = setInterval(run, intervalMs)
    return () => clearInterval(timer)
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
