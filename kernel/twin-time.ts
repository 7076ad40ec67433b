// Timestamps in plain TypeScript: the same rules as assembly/time.ts, for cleaning and for the twin.

export interface ReadTime {
  readonly ns: bigint
  /** Fractional digits, 0–9. */
  readonly digits: number
  /** The text can be copied as it is into a canonical record. */
  readonly canonical: boolean
}

const SECOND_NS = 1_000_000_000n
/** 2262-01-01 */
const SECONDS_END = 9214646400n
const LENGTH_MAX = 64
const TIME =
  /^(\d{4})-(\d\d)-(\d\d)([Tt ])(\d\d):(\d\d):(\d\d)(?:([.,])(\d+))?(?: ?(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?))?$/

function secondsOf(text: readonly (string | undefined)[]): number | undefined {
  const [year = 0, month = 0, day = 0] = [text[1], text[2], text[3]].map(Number)
  const [hour = 0, minute = 0, second = 0] = [text[5], text[6], text[7]].map(Number)
  if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1) return undefined
  if (day > new Date(Date.UTC(year, month, 0)).getUTCDate()) return undefined
  if (hour > 23 || minute > 59 || second > 60) return undefined
  return Date.UTC(year, month - 1, day, hour, minute, 0) / 1000 + second
}

/** RFC 3339-like text; undefined when unreadable. */
export function readTime(text: string): ReadTime | undefined {
  const found = text.length > LENGTH_MAX ? null : TIME.exec(text)
  if (found === null) return undefined
  const seconds = secondsOf(found)
  const [offsetHours, offsetMinutes] = [Number(found[12] ?? 0), Number(found[13] ?? 0)]
  if (seconds === undefined || offsetHours > 23 || offsetMinutes > 59) return undefined
  const fraction = found[9] ?? ''
  const digits = Math.min(9, fraction.length)
  const offset = (offsetHours * 3600 + offsetMinutes * 60) * (found[11] === '-' ? -1 : 1)
  const ns = BigInt(seconds - offset) * SECOND_NS + BigInt(fraction.slice(0, 9).padEnd(9, '0'))
  if (ns < 0n) return undefined
  const plainMarks = found[4] === 'T' && found[8] !== ',' && found[10] === 'Z' && !text.includes(' ')
  return { ns, digits, canonical: plainMarks && found[7] !== '60' && fraction.length <= 9 }
}

/** Epoch number as text: its magnitude tells the unit. `wholeDigitsMin` is 10 for quoted numbers. */
export function readEpoch(text: string, wholeDigitsMin: number): ReadTime | undefined {
  const found = /^(0|[1-9]\d{0,18})(?:\.(\d+))?$/.exec(text)
  const wholeText = found?.[1]
  if (wholeText === undefined || wholeText.length < wholeDigitsMin) return undefined
  const whole = BigInt(wholeText)
  const unitDigits = whole < 10n ** 11n ? 0 : whole < 10n ** 14n ? 3 : whole < 10n ** 17n ? 6 : 9
  if (whole >= SECONDS_END * 10n ** BigInt(unitDigits)) return undefined
  const fraction = (found?.[2] ?? '').slice(0, 9)
  const digits = Math.min(9, unitDigits + fraction.length)
  const ns = BigInt(
    (wholeText + fraction).padEnd(wholeText.length + 9, '0').slice(0, wholeText.length + 9 - unitDigits),
  )
  return { ns, digits, canonical: false }
}

/** The timestamp in a raw JSON value, undefined when it is unreadable. */
export function readTimeValue(raw: string): ReadTime | undefined {
  if (!raw.startsWith('"')) return readEpoch(raw, 1)
  const text = raw.slice(1, -1)
  return readTime(text) ?? readEpoch(text, 10)
}

/** ISO 8601, UTC, with so many fractional digits. */
export function formatTime(ns: bigint, digits: number): string {
  const second = new Date(Number(ns / SECOND_NS) * 1000).toISOString().slice(0, 19)
  const fraction = (ns % SECOND_NS).toString().padStart(9, '0').slice(0, digits)
  return digits === 0 ? `${second}Z` : `${second}.${fraction}Z`
}
