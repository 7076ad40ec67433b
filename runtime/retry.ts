// How long to wait before a failed request is tried again: exponential with full jitter, unless the server said so itself.

export interface RetryPolicy {
  /** Upper end of the first wait, ms. */
  readonly initial: number
  /** Upper end of every wait, ms. */
  readonly max: number
}

/**
 * Wait before try `failures` + 1, ms. Full jitter (uniform in [0, cap)), because waits that are spread evenly empty a queue of
 * competing clients soonest: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 * A wait that the server asked for is a floor, and is itself jittered by a tenth so that clients do not come back in step.
 */
export function backoffMs(
  policy: RetryPolicy,
  failures: number,
  random: () => number,
  retryAfterMs = 0,
): number {
  const cap = Math.min(policy.max, policy.initial * 2 ** Math.min(30, Math.max(0, failures - 1)))
  return Math.max(random() * cap, retryAfterMs * (1 + random() / 10))
}

const RETRY_AFTER_MAX_MS = 600_000

/** Retry-After (RFC 9110 §10.2.3) as ms from now: seconds or an HTTP date; at most ten minutes; undefined when unreadable. */
export function parseRetryAfterMs(
  value: string | readonly string[] | undefined,
  nowMs: number,
): number | undefined {
  const text = typeof value === 'string' ? value.trim() : value?.[0]?.trim()
  if (text === undefined || text === '') return undefined
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs
  return Number.isNaN(waitMs) ? undefined : Math.min(RETRY_AFTER_MAX_MS, Math.max(0, waitMs))
}
