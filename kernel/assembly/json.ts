// JSON tokens: strings, numbers, literals and nested values, validated by RFC 8259. The byte after the content must be 0 (the caller puts it there), so nothing runs past it.
import { eightAt, notDigits } from './digits'
import { hashBytes } from './hash'
import { checkEscapes, checkKey, nextSerial } from './keys'
import { addSlow } from './slow'
import { DEPTH_LIMIT, DEPTH_MAX, SLOW_DEPTH } from './table'

/** What each byte may be after a backslash: 1 stands for itself or a control, 2 is u. */
const ESCAPES: usize = memory.data(256, 16)
/** 1 for hexadecimal digits. */
const HEX: usize = memory.data(256, 16)
/** For each open container beyond the root: its serial number when an object, 0 when an array. */
const STACK: usize = memory.data((10000 + 8) * 4, 16)

function markBytes(table: usize, text: string, value: u8): void {
  for (let i = 0; i < text.length; i++) store<u8>(table + <usize>text.charCodeAt(i), value)
}
markBytes(ESCAPES, '"\\/bfnrt', 1)
markBytes(ESCAPES, 'u', 2)
markBytes(HEX, '0123456789abcdefABCDEF', 1)

/** Address of the last backslash that a string scan met. */
export let lastEscape: usize = 0
/** Skips JSON white space. */
export function skipSpace(at: usize): usize {
  while (true) {
    const byte = <u32>load<u8>(at)
    if (byte > 32 || (byte != 32 && byte != 10 && byte != 13 && byte != 9)) return at
    at++
  }
}

/** `at` is a backslash. Returns the address after the escape, 0 when it is not valid. */
function skipEscape(at: usize): usize {
  const kind = load<u8>(ESCAPES + <usize>load<u8>(at, 1))
  if (kind == 1) return at + 2
  if (kind == 0) return 0
  const hex1 = load<u8>(HEX + <usize>load<u8>(at, 2)) & load<u8>(HEX + <usize>load<u8>(at, 3))
  const hex2 = load<u8>(HEX + <usize>load<u8>(at, 4)) & load<u8>(HEX + <usize>load<u8>(at, 5))
  return (hex1 & hex2) != 0 ? at + 6 : 0
}

/** Bit mask of the quotes, backslashes and control bytes among the 16 bytes at `at`. */
function specials(at: usize): i32 {
  const block = v128.load(at)
  const control = i8x16.ge_u(i8x16.splat(31), block)
  const marks = v128.or(i8x16.eq(block, i8x16.splat(34)), i8x16.eq(block, i8x16.splat(92)))
  return i8x16.bitmask(v128.or(marks, control))
}

/** The first special byte of a string among the next 16, or the byte after them: most strings end here, without a call. */
export function firstSpecial(at: usize): usize {
  return at + <usize>ctz(specials(at) | 65536)
}

/** The same among the next 32: for values, which are longer than keys. */
export function firstSpecial32(at: usize): usize {
  const mask = <u64>(<u32>specials(at) | ((<u32>specials(at + 16)) << 16))
  return at + <usize>ctz(mask | 0x100000000)
}

/** `at` is a byte of a string. Returns the address of the closing quote, 0 when the string is not valid. UTF-8 is checked elsewhere. */
export function scanString(at: usize): usize {
  while (true) {
    const mask = specials(at)
    if (mask == 0) {
      at += 16
      continue
    }
    at += <usize>ctz(mask)
    const byte = load<u8>(at)
    if (byte == 34) return at
    if (byte != 92) return 0
    lastEscape = at
    at = skipEscape(at)
    if (at == 0) return 0
  }
}

/** Eight at once: how many digits a number has is hard to foresee, and each wrong guess costs more than all of this. */
function skipDigits(at: usize): usize {
  while (true) {
    const strange = notDigits(eightAt(at))
    if (strange != 0) return at + (<usize>ctz(strange) >> 3)
    at += 8
  }
}

/** Returns the address after the number, 0 when it is none. */
export function scanNumber(at: usize): usize {
  if (load<u8>(at) == 45) at++
  const first = <u32>load<u8>(at) - 48
  if (first > 9) return 0
  at++
  if (first != 0) at = skipDigits(at)
  if (load<u8>(at) == 46) {
    const from = at + 1
    at = skipDigits(from)
    if (at == from) return 0
  }
  if ((load<u8>(at) | 32) == 101) {
    at++
    const sign = load<u8>(at)
    if (sign == 43 || sign == 45) at++
    const from = at
    at = skipDigits(from)
    if (at == from) return 0
  }
  return at
}

/** A string, number or literal that starts at `at`; the address after it, 0 when there is none. */
export function scanScalar(at: usize): usize {
  const byte = <u32>load<u8>(at)
  if (byte == 34) {
    let quote = firstSpecial(at + 1)
    if (load<u8>(quote) != 34) quote = scanString(quote)
    return quote == 0 ? 0 : quote + 1
  }
  if (byte - 48 <= 9 || byte == 45) return scanNumber(at)
  if (byte == 116) return load<u32>(at) == 0x65757274 ? at + 4 : 0
  if (byte == 110) return load<u32>(at) == 0x6c6c756e ? at + 4 : 0
  return byte == 102 && load<u32>(at + 1) == 0x65736c61 ? at + 5 : 0
}

/** `at` is where a key must start. Checks the key for duplicates in its object; returns the address of the value, 0 when not valid. */
function scanKey(at: usize, serial: u32): usize {
  if (load<u8>(at) != 34) return 0
  const key = at + 1
  at = firstSpecial(key)
  if (load<u8>(at) != 34) at = scanString(at)
  if (at == 0) return 0
  if (lastEscape >= key) checkEscapes(key, at)
  checkKey(serial, key, at - key, hashBytes(key, at - key))
  at++
  if (load<u8>(at) != 58) at = skipSpace(at)
  return load<u8>(at) == 58 ? skipSpace(at + 1) : 0
}

/** `at` is the opening brace or bracket of a container inside the root object. Returns the address after its end, 0 when it is not valid. */
export function scanNested(at: usize): usize {
  let depth: usize = 0
  let serial: u32 = 0
  while (true) {
    // A value starts at `at`; a container is opened, anything else is scanned whole.
    const byte = <u32>load<u8>(at)
    if ((byte | 32) == 123) {
      if (depth >= DEPTH_LIMIT - 1) return 0
      if (depth >= DEPTH_MAX - 1) addSlow(SLOW_DEPTH)
      serial = byte == 123 ? nextSerial() : 0
      store<u32>(STACK + (depth << 2), serial)
      depth++
      at = skipSpace(at + 1)
      if (load<u8>(at) != byte + 2) {
        if (serial != 0) at = scanKey(at, serial)
        if (at == 0) return 0
        continue
      }
    } else {
      const after = scanScalar(at)
      if (after == 0) return 0
      at = afterValue(after, serial)
      if (at == 0) return 0
      if (valueFollows) continue
    }
    // `at` is a closing brace or bracket of the container on top.
    while (true) {
      depth--
      if (depth == 0) return at + 1
      serial = load<u32>(STACK + (depth << 2) - 4)
      at = afterValue(at + 1, serial)
      if (at == 0) return 0
      if (valueFollows) break
    }
  }
}

let valueFollows: bool = false

/** After a value in a container: sets valueFollows and returns the next value's address (behind its key), or returns the closing byte's address. 0: not valid. */
function afterValue(at: usize, serial: u32): usize {
  at = skipSpace(at)
  const byte = load<u8>(at)
  if (byte == 44) {
    valueFollows = true
    at = skipSpace(at + 1)
    return serial != 0 ? scanKey(at, serial) : at
  }
  valueFollows = false
  return byte == (serial != 0 ? 125 : 93) ? at : 0
}
