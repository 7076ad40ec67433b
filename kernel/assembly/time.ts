// Timestamps: reading RFC 3339-like texts and epoch numbers to nanoseconds, and writing ISO 8601 in UTC.
import { eightAt, notDigits } from './digits'

const POWERS: usize = memory.data<i64>(
  [1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000],
  16,
)
const MONTH_DAYS: usize = memory.data<u8>([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], 16)
/** The text of the last `YYYY-MM-DDTHH:MM` read: neighbouring records share it. */
const MINUTE_TEXT: usize = memory.data(16, 16)
/** The text of the last second written, `YYYY-MM-DDTHH:MM:SS`. */
const SECOND_TEXT: usize = memory.data(32, 16)

const SECOND_NS: i64 = 1000000000
const MINUTE_NS: i64 = 60000000000
/** 2262-01-01: the first second that is too late for a timestamp. */
const SECONDS_END: u64 = 9214646400

let minuteNs: i64 = 0
let secondWritten: i64 = -1

/** Results of the readers. */
export let timeNs: i64 = 0
export let timeDigits: u32 = 0
/** The text is RFC 3339 with `T`, `.`, at most 9 digits and `Z`: it can be copied as it is. */
export let timeCanonical: bool = false

export function powerOf10(exponent: u32): i64 {
  return load<i64>(POWERS + ((<usize>exponent) << 3))
}

function twoDigits(at: usize): u32 {
  const high = <u32>load<u8>(at) - 48
  const low = <u32>load<u8>(at, 1) - 48
  return high > 9 || low > 9 ? 1000 : high * 10 + low
}

/** Days since 1970-01-01 of a date of the proleptic Gregorian calendar (Howard Hinnant, days_from_civil). */
function daysFromCivil(year: i32, month: i32, day: i32): i32 {
  const y = month <= 2 ? year - 1 : year
  const era = y / 400
  const yearOfEra = y - era * 400
  const dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
  return era * 146097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719468
}

/** Reads the 16 bytes `YYYY-MM-DDTHH:MM` (T, t or space) into minuteNs. */
function readMinute(at: usize): bool {
  const separator = load<u8>(at, 10)
  if (load<u8>(at, 4) != 45 || load<u8>(at, 7) != 45 || load<u8>(at, 13) != 58) return false
  if (separator != 84 && separator != 116 && separator != 32) return false
  const century = twoDigits(at)
  const yearLow = twoDigits(at + 2)
  const month = twoDigits(at + 5)
  const day = twoDigits(at + 8)
  const hour = twoDigits(at + 11)
  const minute = twoDigits(at + 14)
  if (century > 99 || yearLow > 99 || hour > 23 || minute > 59) return false
  const year = century * 100 + yearLow
  if (year < 1970 || year > 2261 || month - 1 > 11 || day == 0) return false
  const leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
  const days = <u32>load<u8>(MONTH_DAYS + <usize>month)
  if (day > days && !(leap && month == 2 && day == 29)) return false
  minuteNs = (<i64>daysFromCivil(year, month, day) * 1440 + <i64>(hour * 60 + minute)) * MINUTE_NS
  v128.store(MINUTE_TEXT, v128.load(at))
  return true
}

/** Reads a zone text: Z, z, ±hh:mm, ±hhmm, ±hh, each after at most one space, or nothing. Returns the offset in minutes, or 10000 when unreadable. */
function readZone(start: usize, end: usize): i32 {
  let at = start
  if (at < end && load<u8>(at) == 32) at++
  const length = end - at
  if (length == 0) return at == start ? 0 : 10000
  const sign = load<u8>(at)
  if (sign == 90 || sign == 122) return length == 1 ? 0 : 10000
  if (sign != 43 && sign != 45) return 10000
  let minuteAt = at + 3
  if (length == 6 && load<u8>(minuteAt) == 58) minuteAt++
  else if (length != 5 && length != 3) return 10000
  const hours = twoDigits(at + 1)
  const minutes = length == 3 ? 0 : twoDigits(minuteAt)
  if (hours > 23 || minutes > 59) return 10000
  const offset = <i32>(hours * 60 + minutes)
  return sign == 45 ? -offset : offset
}

let fractionDigits: u32 = 0
let fractionValue: i64 = 0

/** The number of eight digits, each the value of a byte, the first one in the lowest. */
function eightDigits(word: u64): i64 {
  let value = (word * 10 + (word >> 8)) & 0x00ff00ff00ff00ff
  value = (value * 100 + (value >> 16)) & 0x0000ffff0000ffff
  return <i64>((value * 10000 + (value >> 32)) & 0xffffffff)
}

/** Reads decimal digits at `at` (more than nine are skipped); sets fractionDigits (0–9) and fractionValue. Returns the address after them. */
function readFraction(at: usize, end: usize): usize {
  // Eight bytes at once: subtract '0', find the first that is no digit, move the digits up so that zeros lead.
  const word = eightAt(at)
  const strange = notDigits(word)
  let digits: usize = strange == 0 ? 8 : <usize>ctz(strange) >> 3
  if (at + digits > end) digits = end - at
  fractionDigits = <u32>digits
  fractionValue = 0
  if (digits == 0) return at
  fractionValue = eightDigits(word << ((8 - <u64>digits) << 3))
  at += digits
  if (digits < 8) return at
  while (at < end) {
    const digit = <u32>load<u8>(at) - 48
    if (digit > 9) break
    if (fractionDigits < 9) {
      fractionValue = fractionValue * 10 + digit
      fractionDigits++
    }
    at++
  }
  return at
}

/** What nearly all programs and runtimes write, in the minute that was read last: `T`, a fraction of one to nine digits, `Z`. False: to be read with care. */
function readUsual(start: usize, end: usize): bool {
  const digits = end - start - 21
  if (digits - 1 > 8 || load<u8>(start, 19) != 46 || load<u8>(end - 1) != 90 || load<u8>(start, 10) != 84) return false
  const second = twoDigits(start + 17)
  const ninth = digits == 9 ? <u32>load<u8>(start, 28) - 48 : 0
  const few = min<usize>(digits, 8)
  const word = eightAt(start + 20) << ((8 - <u64>few) << 3)
  if (second > 59 || ninth > 9 || notDigits(word) != 0) return false
  const value = eightDigits(word) * 10 + <i64>ninth
  timeNs = minuteNs + <i64>second * SECOND_NS + value * powerOf10(8 - <u32>few)
  timeDigits = <u32>digits
  timeCanonical = true
  return true
}

/** Reads `date T time [fraction] [zone]` in [start, end); years 1970 to 2261. Sets timeNs, timeDigits, timeCanonical. Reads up to 32 bytes at start. */
export function readTime(start: usize, end: usize): bool {
  const length = end - start
  if (length < 19 || length > 64 || load<u8>(start, 16) != 58) return false
  const same = i8x16.all_true(i8x16.eq(v128.load(start), v128.load(MINUTE_TEXT)))
  if (same && readUsual(start, end)) return true
  if (!same && !readMinute(start)) return false
  const second = twoDigits(start + 17)
  if (second > 60) return false
  let at = start + 19
  let digits: u32 = 0
  let fraction: i64 = 0
  let canonical = load<u8>(start, 10) == 84 && second < 60
  const mark = load<u8>(at)
  if (at < end && (mark == 46 || mark == 44)) {
    const from = at + 1
    at = readFraction(from, end)
    digits = fractionDigits
    if (digits == 0) return false
    fraction = fractionValue * powerOf10(9 - digits)
    if (mark == 44 || at - from > 9) canonical = false
  }
  const offset = readZone(at, end)
  if (offset == 10000) return false
  const ns = minuteNs + <i64>second * SECOND_NS + fraction - <i64>offset * MINUTE_NS
  if (ns < 0) return false
  timeNs = ns
  timeDigits = digits
  timeCanonical = canonical && at + 1 == end && load<u8>(at) == 90
  return true
}

/** Reads an epoch number, integer or with a fraction: s < 1e11 <= ms < 1e14 <= µs < 1e17 <= ns; up to the end of 2261. Sets timeNs, timeDigits. */
export function readEpoch(start: usize, end: usize, digitsMin: usize): bool {
  let at = start
  let whole: u64 = 0
  while (at < end) {
    const digit = <u32>load<u8>(at) - 48
    if (digit > 9) break
    whole = whole * 10 + <u64>digit
    at++
    if (at - start > 19) return false
  }
  const wholeDigits = at - start
  if (wholeDigits < digitsMin || (wholeDigits > 1 && load<u8>(start) == 48)) return false
  let unitDigits: u32 = 9
  if (whole < 100000000000) unitDigits = 0
  else if (whole < 100000000000000) unitDigits = 3
  else if (whole < 100000000000000000) unitDigits = 6
  if (whole >= SECONDS_END * <u64>powerOf10(unitDigits)) return false
  let ns = <i64>whole * powerOf10(9 - unitDigits)
  let digits = unitDigits
  if (at < end) {
    if (load<u8>(at) != 46) return false
    if (readFraction(at + 1, end) != end || fractionDigits == 0) return false
    digits = unitDigits + fractionDigits > 9 ? 9 : unitDigits + fractionDigits
    const used = digits - unitDigits
    ns += (fractionValue / powerOf10(fractionDigits - used)) * powerOf10(9 - digits)
  }
  timeNs = ns
  timeDigits = digits
  timeCanonical = false
  return true
}

function putTwo(at: usize, value: u32): void {
  store<u8>(at, 48 + value / 10)
  store<u8>(at, 48 + (value % 10), 1)
}

/** Writes `YYYY-MM-DDTHH:MM:SS` of a second since the epoch into SECOND_TEXT (civil_from_days). */
function renderSecond(second: i64): void {
  const days = <i32>(second / 86400) + 719468
  const rest = <u32>(second % 86400)
  const era = days / 146097
  const dayOfEra = days - era * 146097
  const yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146096) / 365
  const dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
  const shifted = (5 * dayOfYear + 2) / 153
  const month = shifted < 10 ? shifted + 3 : shifted - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  putTwo(SECOND_TEXT, year / 100)
  putTwo(SECOND_TEXT + 2, year % 100)
  store<u8>(SECOND_TEXT, 45, 4)
  putTwo(SECOND_TEXT + 5, month)
  store<u8>(SECOND_TEXT, 45, 7)
  putTwo(SECOND_TEXT + 8, dayOfYear - (153 * shifted + 2) / 5 + 1)
  store<u8>(SECOND_TEXT, 84, 10)
  putTwo(SECOND_TEXT + 11, rest / 3600)
  store<u8>(SECOND_TEXT, 58, 13)
  putTwo(SECOND_TEXT + 14, (rest / 60) % 60)
  store<u8>(SECOND_TEXT, 58, 16)
  putTwo(SECOND_TEXT + 17, rest % 60)
}

/** Writes `ns` (not negative) with `digits` fractional digits and `Z`; touches up to 32 bytes. Returns the address after the text. */
export function writeTime(to: usize, ns: i64, digits: u32): usize {
  const second = ns / SECOND_NS
  if (second != secondWritten) {
    renderSecond(second)
    secondWritten = second
  }
  v128.store(to, v128.load(SECOND_TEXT))
  v128.store(to, v128.load(SECOND_TEXT, 16), 16)
  let at = to + 19
  if (digits > 0) {
    store<u8>(at, 46)
    let value = <u32>((ns - second * SECOND_NS) / powerOf10(9 - digits))
    at += 1 + <usize>digits
    let digit = at
    for (let n: u32 = 0; n < digits; n++) {
      digit--
      store<u8>(digit, 48 + (value % 10))
      value /= 10
    }
  }
  store<u8>(at, 90)
  return at + 1
}
