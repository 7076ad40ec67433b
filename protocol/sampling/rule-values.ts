// Reads and writes the values of a rule's comparisons: ratios, durations, status codes, levels, log types and names.
import { closest, distance } from 'fastest-levenshtein'
import { levelName, levelRank } from '../level-rank.js'
import { LEVELS, LOG_TYPES } from '../levels.js'
import type { MetricKind, RuleValue } from './rule-ast.js'
import { EXPONENT_MAX } from './sketch-buckets.js'

/** One more than the highest status code. */
export const STATUS_CODES = 1000
/** What no keyword can be: a bare word that is meant as a name. */
const NAME = /^[\p{L}\p{N}_.:/@-]+$/u
const NUMBER = /^(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i
const DURATION = /^((?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)(ns|us|[\u00b5\u03bc]s|ms|s|m)$/i
/** Parts of a millisecond are divided by, so that 1us is the same number as 0.001ms. The micro sign and the Greek letter look alike. */
const PER_MS: Readonly<Record<string, number>> = { ns: 1e6, us: 1e3, '\u00b5s': 1e3, '\u03bcs': 1e3, ms: 1 }
const MS_PER: Readonly<Record<string, number>> = { s: 1000, m: 60_000 }
const LATENCY_MAX_MS = 2 ** EXPONENT_MAX
const KNOWN_LEVELS = LEVELS.slice(1)

/** A value, or what was expected in its place, with a hint that may be empty. */
export type ReadValue = { readonly value: RuleValue } | { readonly expected: string; readonly hint?: string }

/** What a text means as a value of this kind. A keyword as a bare name is refused by the parser. */
export function readRuleValue(kind: MetricKind, text: string, isQuoted: boolean): ReadValue {
  switch (kind) {
    case 'ratio':
      return numberIn(text, isQuoted, 1, false) ?? { expected: 'a number from 0 to 1, such as 0.05' }
    case 'status':
      return (
        numberIn(text, isQuoted, STATUS_CODES - 1, true) ?? {
          expected: 'a status code, a whole number 0 to 999',
        }
      )
    case 'duration':
      return durationValue(text, isQuoted)
    case 'level':
      if (levelRank(text) !== undefined) return { value: levelName(text) }
      return {
        expected: `a level (${KNOWN_LEVELS.join(', ')})`,
        hint: nearest(text.toUpperCase(), KNOWN_LEVELS),
      }
    case 'log_type': {
      const type = LOG_TYPES.find((name) => name === text.toLowerCase())
      if (type !== undefined) return { value: type }
      return {
        expected: `a log type (${LOG_TYPES.join(', ')})`,
        hint: nearest(text.toLowerCase(), LOG_TYPES),
      }
    }
    case 'text':
      return isQuoted || NAME.test(text)
        ? { value: text }
        : {
            expected:
              'a name; one with other characters than letters, digits and _ . : / @ - stands in quotes',
          }
  }
}

function numberIn(
  text: string,
  isQuoted: boolean,
  max: number,
  whole: boolean,
): { readonly value: number } | undefined {
  const value = !isQuoted && NUMBER.test(text) ? Number(text) : Number.NaN
  return value <= max && (!whole || Number.isInteger(value)) ? { value } : undefined
}

function durationValue(text: string, isQuoted: boolean): ReadValue {
  const durationMs = isQuoted ? undefined : ruleDurationMs(text)
  if (durationMs === undefined) return { expected: 'a duration such as 200ms or 0.2s, without a space' }
  return durationMs > LATENCY_MAX_MS ? { expected: 'a duration of at most 12 days' } : { value: durationMs }
}

/** `200ms`, `0.2s`, `150us`, `5m` as ms; undefined for what is no duration. */
export function ruleDurationMs(text: string): number | undefined {
  const [, digits, unit = ''] = DURATION.exec(text) ?? []
  if (digits === undefined) return undefined
  const name = unit.toLowerCase()
  const perMs = PER_MS[name]
  const durationMs =
    perMs === undefined ? Number(digits) * (MS_PER[name] ?? Number.NaN) : Number(digits) / perMs
  return Number.isFinite(durationMs) ? durationMs : undefined
}

/** A text that readRuleValue reads as the same value. */
export function printRuleValue(kind: MetricKind, value: RuleValue): string {
  if (kind === 'duration') return `${value}ms`
  return kind === 'text' ? `"${String(value).replace(/["\\]/g, '\\$&')}"` : String(value)
}

/** `; did you mean X?` where a known name is near, else nothing. */
export function nearest(text: string, names: readonly string[]): string {
  // A long text is no slip of the hand, and measuring it would take its time.
  if (text === '' || text.length > 40) return ''
  const name = closest(text, names)
  return distance(text, name) <= Math.max(2, name.length / 3) ? `; did you mean ${name}?` : ''
}
