// Which dead letters a command is about: by backend, reason, service and time.
import type { DeadLetter } from '../../runtime/dead-letters.js'
import { parseSince } from '../since.js'

export interface LetterFilter {
  readonly backend?: string
  readonly reason?: string
  readonly service?: string
  /** The node that gave up on it. */
  readonly node?: string
  readonly since?: string
  readonly until?: string
}

/** Throws `usage.time`. */
export function letterMatcher(filter: LetterFilter, nowMs: number): (letter: DeadLetter) => boolean {
  const { backend, reason, service, since, until } = filter
  const fromMs = since === undefined ? Number.NEGATIVE_INFINITY : parseSince('--since', since, nowMs)
  const toMs = until === undefined ? Number.POSITIVE_INFINITY : parseSince('--until', until, nowMs)
  const named = service === undefined ? undefined : `"service_name":${JSON.stringify(service)}`
  return (letter) => {
    if (backend !== undefined && letter.backend !== backend) return false
    if (reason !== undefined && letter.reason !== reason) return false
    if (named !== undefined && !letter.record.includes(named)) return false
    const ms = Date.parse(letter.time)
    return ms >= fromMs && ms < toMs
  }
}
