// Fields inside the objects of a record: looked for when it is judged, in the few objects that the scan noted.
import {
  generation,
  LETTERS_MANY,
  nestedAt,
  nestedBytes,
  nestedLetters,
  nestedSpec,
  nestedSpecAt,
  nestedSpecs,
  S_LATENCY,
  S_STATUS,
} from './field-names'
import { noteValue } from './field-values'
import { firstSpecial, firstSpecial32, scanScalar, scanString, skipSpace } from './json'
import * as T from './table'

/** The address after the value at `at`, which is known to be valid. */
function skipValue(at: usize): usize {
  let depth: u32 = 0
  while (true) {
    const byte = <u32>load<u8>(at)
    if ((byte | 32) == 123) {
      depth++
      at++
    } else if ((byte | 32) == 125) {
      depth--
      at++
    } else if (byte == 44 || byte == 58 || byte <= 32) at++
    else at = scanScalar(at)
    if (depth == 0 || at == 0) return at
  }
}

/** True when none of `wanted` is missing. */
function isComplete(entry: usize, wanted: u32): bool {
  const hasStatus = (wanted & S_STATUS) == 0 || load<u32>(entry, T.STATUS) != 0
  return hasStatus && ((wanted & S_LATENCY) == 0 || load<u32>(entry, T.LATENCY) != 0)
}

/** Notes the wanted members of the valid object at `at`. Looks before it calls: most JSON has no white space. */
function walk(entry: usize, prefix: u32, wanted: u32, at: usize): void {
  at = skipSpace(at + 1)
  while (load<u8>(at) == 34) {
    const key = at + 1
    at = firstSpecial(key)
    if (load<u8>(at) != 34) at = scanString(at)
    const spec = nestedSpec(prefix, key, at - key)
    at++
    if (load<u8>(at) != 58) at = skipSpace(at)
    at++
    if (load<u8>(at) <= 32) at = skipSpace(at)
    if (spec != 0) {
      noteValue(entry, spec, at)
      if (isComplete(entry, wanted)) return
    }
    if (load<u8>(at) == 34) {
      at = firstSpecial32(at + 1)
      if (load<u8>(at) != 34) at = scanString(at)
      at++
    } else at = skipValue(at)
    if (load<u8>(at) <= 32) at = skipSpace(at)
    if (load<u8>(at) != 44) return
    at++
    if (load<u8>(at) <= 32) at = skipSpace(at)
  }
}

/** Notes the value behind the key that begins at `key`, if it is a wanted one. */
function noteKey(entry: usize, prefix: u32, key: usize): void {
  const nested = nestedAt(prefix, key)
  if (nested == 0) return
  let at = key + nestedBytes(nested) + 1
  if (load<u8>(at) != 58) at = skipSpace(at)
  if (load<u8>(at) == 58) noteValue(entry, nestedSpecAt(nested), skipSpace(at + 1))
}

/**
 * As walk, but 16 bytes at a time, for objects without escapes and containers up to what is wanted: there quotes do nothing but begin and end strings, so
 * a name between quotes with a colon behind is a key of this object. False: the object is not so simple, and walk has to go through it.
 */
function glance(entry: usize, prefix: u32, wanted: u32, at: usize): bool {
  const letters = nestedLetters(prefix)
  if (letters == LETTERS_MANY) return false
  const a = i8x16.splat(<i8>letters)
  const b = i8x16.splat(<i8>(letters >> 8))
  let quotes: u32 = 0
  at++
  while (true) {
    const block = v128.load(at)
    const isQuote = i8x16.eq(block, i8x16.splat(34))
    const next = v128.load(at, 1)
    const isFirst = v128.and(isQuote, v128.or(i8x16.eq(next, a), i8x16.eq(next, b)))
    // The bytes [ \ ] { | } and no others.
    const folded = i8x16.sub(v128.or(block, i8x16.splat(32)), i8x16.splat(123))
    const stops = <u32>i8x16.bitmask(i8x16.le_u(folded, i8x16.splat(2)))
    const before = (stops & (0 - stops)) - 1
    let keys = <u32>i8x16.bitmask(isFirst) & before
    while (keys != 0) {
      noteKey(entry, prefix, at + <usize>ctz(keys) + 1)
      if (isComplete(entry, wanted)) return true
      keys &= keys - 1
    }
    quotes += <u32>popcnt(<u32>i8x16.bitmask(isQuote) & before)
    // A brace outside of strings is the object's end.
    if (stops != 0) return (quotes & 1) == 0 && load<u8>(at + <usize>ctz(stops)) == 125
    at += 16
  }
}

/** Completes STATUS and LATENCY from the objects that the scan noted. The record's bytes are where they were scanned. */
export function settleNested(entry: usize): void {
  const bits = load<u32>(entry, T.FIELD_BITS)
  if (bits >> 8 == 0 || ((bits >> 2) & 63) != generation) return
  for (let n: u32 = 0; n < T.CONTAINERS_MAX; n++) {
    const prefix = (bits >> (8 + n * 6)) & 63
    if (prefix == 0) return
    const wanted = nestedSpecs(prefix)
    if (isComplete(entry, wanted)) continue
    const at = <usize>load<u32>(entry + (<usize>n << 2), T.CONTAINERS)
    if (!glance(entry, prefix, wanted, at)) walk(entry, prefix, wanted, at)
  }
}
