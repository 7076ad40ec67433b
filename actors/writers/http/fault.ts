// What a failed HTTP exchange means for delivery, the same for every HTTP backend.
import { saidOf, systemCode } from '../../../protocol/errors.js'
import { parseRetryAfterMs } from '../../../runtime/retry.js'
import type { Fault } from '../writer.js'

const WAYS_OUT: Readonly<Record<number, string>> = {
  401: 'check username, password or key',
  403: 'the user may not write there',
  404: 'check the url and that the server accepts this path',
}

/** A status that is no success. 429 is overload, other 4xx (and 3xx) are the operator's to mend, 5xx is down. */
export function faultOfStatus(
  what: string,
  status: number,
  retryAfter: string | readonly string[] | undefined,
  nowMs: number,
): Fault {
  const retryAfterMs = parseRetryAfterMs(retryAfter, nowMs)
  const after = retryAfterMs === undefined ? {} : { retryAfterMs }
  if (status === 429) return { kind: 'overload', reason: `${what} answers 429: overloaded`, ...after }
  if (status >= 500) return { kind: 'down', reason: `${what} answers ${status}`, ...after }
  const wayOut = WAYS_OUT[status] ?? 'check the url'
  return { kind: 'blocked', reason: `${what} answers ${status}: ${wayOut}`, ...after }
}

/** An exchange without an answer: refused, reset, timed out, cut in the middle. */
export function faultOfError(what: string, error: unknown, timedOut: boolean, timeoutMs: number): Fault {
  if (timedOut) return { kind: 'down', reason: `${what} did not answer within ${timeoutMs} ms` }
  const message = saidOf(error)
  const code = systemCode(error)
  const detail = code === undefined || message.includes(code) ? message : `${code}: ${message}`
  return { kind: 'down', reason: `${what} cannot be reached: ${detail.slice(0, 200)}` }
}
