// Points in time on the command line: a duration back from now, or a time.
import { MillraceError } from '../protocol/errors.js'
import { parseDurationMs } from '../protocol/config/units.js'

/** `2h`, `30m`, `2026-11-23T06:00:00Z` to ms since the epoch. Throws `usage.time`. */
export function parseSince(option: string, text: string, nowMs: number): number {
  const durationMs = parseDurationMs(text)
  if (durationMs !== undefined) return nowMs - durationMs
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(ms)) return ms
  throw new MillraceError(
    'usage.time',
    `${option}: got ${JSON.stringify(text)}, expected a duration such as 30m, 2h or 7d, or a time such as 2026-11-23T06:00:00Z`,
  )
}
