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
  return (letter) => {
    if (backend !== undefined && letter.backend !== backend) return false
    if (reason !== undefined && letter.reason !== reason) return false
    if (service !== undefined && serviceOf(letter) !== service) return false
    const ms = Date.parse(letter.time)
    return ms >= fromMs && ms < toMs
  }
}

/** Of the record itself: the same words may stand in a message or in a field of a field. Undefined where there is none. */
export function serviceOf({ record }: Pick<DeadLetter, 'record'>): string | undefined {
  try {
    const service = (JSON.parse(record) as Readonly<Record<string, unknown>> | null)?.['service_name']
    return typeof service === 'string' ? service : undefined
  } catch {
    return undefined
  }
}
