// The level of a line that is not JSON: a klog header, a logfmt pair, or a level word among its first tokens.
import { levelOfValue, levelOfWord, WORD_MAX } from './words'

const LOGFMT_BYTES: usize = 512
const LEADING_BYTES: usize = 96
const LEADING_TOKENS: u32 = 5
const ESC: u32 = 27

function isDigit(byte: u32): bool {
  return byte - 48 <= 9
}

function isLetter(byte: u32): bool {
  return (byte | 32) - 97 <= 25
}

function digitsAt(at: usize, count: usize): bool {
  for (let n: usize = 0; n < count; n++) if (!isDigit(load<u8>(at + n))) return false
  return true
}

/** `Immdd hh:mm:ss.uuuuuu`, the header of klog and glog. */
function klogLevel(start: usize, end: usize): u32 {
  if (end - start < 21 || load<u8>(start, 5) != 32 || load<u8>(start, 8) != 58) return 0
  if (load<u8>(start, 11) != 58 || load<u8>(start, 14) != 46) return 0
  if (!digitsAt(start + 1, 4) || !digitsAt(start + 6, 2) || !digitsAt(start + 9, 2)) return 0
  if (!digitsAt(start + 12, 2) || !digitsAt(start + 15, 6)) return 0
  const letter = load<u8>(start)
  if (letter == 73) return 3
  if (letter == 87) return 4
  if (letter == 69) return 5
  return letter == 70 ? 6 : 0
}

/** Bytes that may stand before a logfmt key: white space and the opening of a list. */
function opensKey(byte: u32): bool {
  return (
    byte == 32 ||
    byte == 9 ||
    byte == 44 ||
    byte == 59 ||
    byte == 124 ||
    byte == 91 ||
    byte == 40 ||
    byte == 123 ||
    byte == 34
  )
}

/** True when the key that ends before `equals` is level, lvl, severity or log_level. */
function isLevelKey(start: usize, equals: usize): bool {
  let length: usize = 0
  const available = equals - start
  if (available >= 5 && load<u32>(equals - 5) == 0x6576656c && load<u8>(equals - 1) == 108) {
    length = available >= 9 && load<u32>(equals - 9) == 0x5f676f6c ? 9 : 5
  } else if (available >= 8 && load<u64>(equals - 8) == 0x7974697265766573) {
    length = 8
  } else if (available >= 3 && load<u16>(equals - 3) == 0x766c && load<u8>(equals - 1) == 108) {
    length = 3
  }
  if (length == 0) return false
  return available == length || opensKey(load<u8>(equals - length - 1))
}

function logfmtValue(at: usize, end: usize): u32 {
  const from = at < end && load<u8>(at) == 34 ? at + 1 : at
  let to = from
  while (to < end && to - from <= WORD_MAX) {
    const byte = <u32>load<u8>(to)
    if (!isLetter(byte) && !isDigit(byte)) break
    to++
  }
  return levelOfValue(from, to - from)
}

function logfmtLevel(start: usize, end: usize): u32 {
  const limit = end - start > LOGFMT_BYTES ? start + LOGFMT_BYTES : end
  const equals = i8x16.splat(61)
  let at = start
  while (at < limit) {
    let mask = i8x16.bitmask(i8x16.eq(v128.load(at), equals))
    while (mask != 0) {
      const found = at + <usize>ctz(mask)
      if (found >= limit) return 0
      if (isLevelKey(start, found)) {
        const level = logfmtValue(found + 1, end)
        if (level != 0) return level
      }
      mask &= mask - 1
    }
    at += 16
  }
  return 0
}

/** Skips colour sequences (ESC [ digits and semicolons m). */
function skipColours(start: usize, end: usize): usize {
  let at = start
  while (at + 1 < end && load<u8>(at) == ESC && load<u8>(at, 1) == 91) {
    let to = at + 2
    while (to < end && to - at < 16 && (isDigit(load<u8>(to)) || load<u8>(to) == 59)) to++
    if (to >= end || load<u8>(to) != 109) return at
    at = to + 1
  }
  return at
}

/** The level that one token says: a level word in upper case, or in any case when bracketed or followed by a colon. */
function tokenLevel(start: usize, end: usize): u32 {
  let at = skipColours(start, end)
  let bracketed = false
  while (at < end) {
    const byte = load<u8>(at)
    if (byte != 91 && byte != 40 && byte != 123 && byte != 60) break
    bracketed = true
    at = skipColours(at + 1, end)
  }
  let upper = true
  let to = at
  while (to < end && to - at <= WORD_MAX) {
    const byte = <u32>load<u8>(to)
    if (!isLetter(byte)) break
    if (byte >= 97) upper = false
    to++
  }
  const after: u32 = to < end ? <u32>load<u8>(to) : 32
  if (
    after != 32 &&
    after != 9 &&
    after != 58 &&
    after != 93 &&
    after != 41 &&
    after != 125 &&
    after != 62 &&
    after != 124 &&
    after != ESC
  )
    return 0
  if (!upper && !bracketed && after != 58) return 0
  return levelOfWord(at, to - at)
}

function leadingLevel(start: usize, end: usize): u32 {
  const limit = end - start > LEADING_BYTES ? start + LEADING_BYTES : end
  let at = start
  for (let token: u32 = 0; token < LEADING_TOKENS; token++) {
    while (at < limit && (load<u8>(at) == 32 || load<u8>(at) == 9)) at++
    if (at >= limit) return 0
    const level = tokenLevel(at, end)
    if (level != 0) return level
    while (at < limit && load<u8>(at) != 32 && load<u8>(at) != 9) at++
  }
  return 0
}

/** Level of the text in [start, end), 0 when it shows none. */
export function textLevel(start: usize, end: usize): u32 {
  const klog = klogLevel(start, end)
  if (klog != 0) return klog
  const logfmt = logfmtLevel(start, end)
  return logfmt != 0 ? logfmt : leadingLevel(start, end)
}
