// The values of configured fields: noted while a record is scanned, converted when it is judged.
import { chainedField, generation, S_CONTAINER, S_LATENCY, S_STATUS, specOf } from './field-names'
import { firstSpecial, scanString } from './json'
import { N_CHAIN, N_FIELD } from './names'
import * as T from './table'

/** 2^30 ms: the sketch's longest latency. */
const LATENCY_MAX_MS: f64 = 1073741824
/** Digits that are always exact in an f64. */
const DIGITS_MAX: u32 = 15
/** Powers of ten up to here are exact in an f64, so one multiplication or division rounds once (Clinger 1990). */
const POWER_MAX: i32 = 22
const POWERS: usize = memory.data(23 * 8, 16)
for (let n: usize = 0, power: f64 = 1; n < 23; n++, power *= 10) store<f64>(POWERS + (n << 3), power)
/** By unit, 4 bits each: the power of ten from ns, us, ms, s to ms, plus 6. */
const UNIT_POWERS: u32 = 0x9630

/** The status + 1 of a whole number below 1000, or of a string of one to three digits, at `at`; 0 when it is none. */
function readStatus(at: usize): u32 {
  const quoted = load<u8>(at) == 34
  if (quoted) at++
  const first = at
  let value: u32 = 0
  let digit = <u32>load<u8>(at) - 48
  while (digit <= 9 && at < first + 4) {
    value = value * 10 + digit
    digit = <u32>load<u8>(++at) - 48
  }
  if (at == first) return 0
  if (at <= first + 3) {
    const after = <u32>load<u8>(at)
    if (quoted ? after == 34 : after != 46 && (after | 32) != 101) return value + 1
  }
  return quoted ? 0 : readLongStatus(first)
}

/** As readStatus, of a number with more than three digits, a fraction or an exponent: `500.0` and `5e2` are 500. */
function readLongStatus(at: usize): u32 {
  const value = readNumber(at, 0)
  const whole = <u32>value
  // What is too small for readNumber comes out as 0.
  return whole > 0 && whole < 1000 && <f64>whole == value ? whole + 1 : 0
}

function noteContainer(entry: usize, prefix: u32, at: usize): void {
  const bits = load<u32>(entry, T.FIELD_BITS)
  for (let n: u32 = 0; n < T.CONTAINERS_MAX; n++) {
    const shift = 8 + n * 6
    if (((bits >> shift) & 63) != 0) continue
    store<u32>(entry, bits | (generation << 2) | (prefix << shift), T.FIELD_BITS)
    store<u32>(entry + (<usize>n << 2), <u32>at, T.CONTAINERS)
    return
  }
}

/** Notes what the value at `at` is good for; the first readable one counts. */
export function noteValue(entry: usize, spec: u32, at: usize): void {
  const first = <u32>load<u8>(at)
  if (first == 123) {
    if ((spec & S_CONTAINER) != 0) noteContainer(entry, (spec >> 8) & 63, at)
    return
  }
  if ((spec & S_STATUS) != 0 && load<u32>(entry, T.STATUS) == 0) store<u32>(entry, readStatus(at), T.STATUS)
  if ((spec & S_LATENCY) != 0 && first - 48 <= 9 && load<u32>(entry, T.LATENCY) == 0) {
    store<u32>(entry, <u32>at, T.LATENCY)
    store<u32>(entry, load<u32>(entry, T.FIELD_BITS) | ((spec >> 4) & 3), T.FIELD_BITS)
  }
}

/** Bytes of the key at `key`, which is known to be valid. */
function keyBytes(key: usize): usize {
  let end = firstSpecial(key)
  if (load<u8>(end) != 34) end = scanString(end)
  return end - key
}

/** Notes the value of a configured field. Always false: the member stays the record's own. */
export function takeField(entry: usize, target: u32, key: usize, value: usize): bool {
  const field = target == N_CHAIN ? chainedField(key, keyBytes(key)) : target - N_FIELD
  if (field != 0) noteValue(entry, specOf(field), value)
  return false
}

/** A valid JSON number without sign, times 10^exponent: by its first 15 digits, at most LATENCY_MAX_MS. */
function readNumber(at: usize, exponent: i32): f64 {
  let mantissa: u64 = 0
  let digits: u32 = 0
  let inFraction: i32 = 0
  while (true) {
    const digit = <u32>load<u8>(at) - 48
    if (digit > 9) {
      if (digit != <u32>(46 - 48) || inFraction != 0) break
      inFraction = 1
    } else if (digits < DIGITS_MAX) {
      mantissa = mantissa * 10 + <u64>digit
      if (mantissa != 0) digits++
      exponent -= inFraction
    } else exponent += 1 - inFraction
    at++
  }
  if ((load<u8>(at) | 32) == 101) exponent += readExponent(at + 1)
  if (mantissa == 0 || exponent < -POWER_MAX) return 0
  if (exponent > POWER_MAX) return LATENCY_MAX_MS
  const value = <f64>mantissa
  const scaled =
    exponent < 0
      ? value / load<f64>(POWERS + (<usize>-exponent << 3))
      : value * load<f64>(POWERS + (<usize>exponent << 3))
  return min<f64>(scaled, LATENCY_MAX_MS)
}

/** The exponent at `at`, held within ±10^9: a line has fewer digits. */
function readExponent(at: usize): i32 {
  const sign = load<u8>(at)
  if (sign == 43 || sign == 45) at++
  let value: i32 = 0
  let digit = <u32>load<u8>(at) - 48
  while (digit <= 9) {
    if (value < 100000000) value = value * 10 + <i32>digit
    digit = <u32>load<u8>(++at) - 48
  }
  return sign == 45 ? -value : value
}

/** Puts LATENCY_MS. The record's bytes are where they were scanned. */
export function settleLatency(entry: usize): void {
  const latency = <usize>load<u32>(entry, T.LATENCY)
  if (latency == 0) return
  const unit = load<u32>(entry, T.FIELD_BITS) & 3
  const power = <i32>((UNIT_POWERS >> (unit << 2)) & 15) - 6
  store<f64>(entry, readNumber(latency, power), T.LATENCY_MS)
}
