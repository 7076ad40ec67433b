// The name of the index a record goes to: the configured pattern with the UTC day (or hour) of the record filled in.
import { MillraceError } from '../../../protocol/errors.js'

export interface IndexNames {
  /** Records of one period have the same index; the period is this long, ms. Infinity: one index for all. */
  readonly periodMs: number
  /** Index of a record with this timestamp, ms since the epoch. */
  at(tsMs: number): string
  /** For the index template: every placeholder as a wildcard. */
  readonly wildcard: string
}

const TOKEN = /%(.)/g
const HOUR_MS = 3_600_000
const KNOWN: Readonly<Record<string, (date: Date) => string>> = {
  Y: (date) => String(date.getUTCFullYear()).padStart(4, '0'),
  m: (date) => String(date.getUTCMonth() + 1).padStart(2, '0'),
  d: (date) => String(date.getUTCDate()).padStart(2, '0'),
  H: (date) => String(date.getUTCHours()).padStart(2, '0'),
}
/** What the server refuses in a name. */
const FORBIDDEN = /[A-Z\\/*?"<>| ,#:]|^[-_+.]/

/** Throws `config.index` for a pattern that cannot give a legal name. */
export function createIndexNames(pattern: string): IndexNames {
  const letters = [...pattern.matchAll(TOKEN)].map((match) => match[1] ?? '')
  const unknown = letters.find((letter) => KNOWN[letter] === undefined)
  if (unknown !== undefined) {
    throw new MillraceError('config.index', `index "${pattern}" has %${unknown}; known are %Y, %m, %d and %H`)
  }
  if (FORBIDDEN.test(pattern.replace(TOKEN, '0')) || pattern === '') {
    throw new MillraceError(
      'config.index',
      `index "${pattern}" is no legal index name: lower case, none of \\ / * ? " < > | , # : or space, not beginning with - _ + .`,
    )
  }
  // A day is the longest period that needs no calendar; %Y alone is then filled in once a day, to the same name.
  const periodMs =
    letters.length === 0 ? Number.POSITIVE_INFINITY : letters.includes('H') ? HOUR_MS : 24 * HOUR_MS
  let lastPeriod = Number.NaN
  let lastName = ''
  return {
    periodMs,
    wildcard: pattern.replace(TOKEN, '*'),
    at(tsMs) {
      const period = Math.floor(tsMs / periodMs)
      if (period === lastPeriod) return lastName
      const date = new Date(tsMs)
      lastName = pattern.replace(TOKEN, (_, letter: string) => KNOWN[letter]?.(date) ?? '')
      lastPeriod = period
      return lastName
    },
  }
}
