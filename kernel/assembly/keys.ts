// Duplicate keys: an exact check of every key of every object of a record, in a small open-addressing table that is never cleared.
import { sameBytes } from './hash'
import { addSlow } from './slow'
import { SLOW_DUPLICATE, SLOW_ESCAPED_KEY, SLOW_TOO_MANY } from './table'

const SLOTS: usize = 512
const SLOT_BYTES: usize = 16
const KEYS_MAX: u32 = 256
/** Slots of (object serial, hash, key address, key length); a slot whose serial is older than the record's is free. */
const TABLE: usize = memory.data(8192, 64)

let serialNow: u32 = 0
let serialOfRecord: u32 = 0
/** Keys that the record may still have; 0 also when keys are not checked. */
let keysLeft: u32 = 0
let checking: bool = true

/** Starts a record; returns the serial number of its root object. `check` false: the keys are known to be unique. */
export function beginKeys(check: bool): u32 {
  checking = check
  keysLeft = check ? KEYS_MAX : 0
  if (serialNow > 0xfff00000) {
    memory.fill(TABLE, 0, SLOTS * SLOT_BYTES)
    serialNow = 0
  }
  serialOfRecord = ++serialNow
  return serialNow
}

export function nextSerial(): u32 {
  return ++serialNow
}

/** The slot is another key's: look on from there. */
function probe(slot: usize, owner: u64, at: usize, length: usize): void {
  while (true) {
    const entry = TABLE + slot * SLOT_BYTES
    const found = load<u64>(entry)
    if (<u32>found < serialOfRecord) {
      store<u64>(entry, owner)
      store<u64>(entry, <u64>at | ((<u64>length) << 32), 8)
      return
    }
    if (found == owner && load<u32>(entry, 12) == <u32>length && sameBytes(load<u32>(entry, 8), at, length)) {
      addSlow(SLOW_DUPLICATE)
      return
    }
    slot = (slot + 1) & (SLOTS - 1)
  }
}

/** The key has no place in the table, or keys are not checked. */
function noRoom(): void {
  if (checking) addSlow(SLOW_TOO_MANY)
}

/**
 * Checks the key of `length` bytes at `at` in object `serial`: adds a SLOW bit when it is there already or one too many.
 * `hash`: as from hashBytes. For keys of nested objects; checkRootKey is the same for the root's, so that each has one caller and is inlined there.
 */
export function checkKey(serial: u32, at: usize, length: usize, hash: u64): void {
  if (keysLeft == 0) return noRoom()
  keysLeft--
  const slot = (<usize>(hash >> 48) + <usize>serial * 37) & (SLOTS - 1)
  const owner = <u64>serial | (hash & 0xffffffff00000000)
  const entry = TABLE + slot * SLOT_BYTES
  if (load<u32>(entry) >= serialOfRecord) return probe(slot, owner, at, length)
  store<u64>(entry, owner)
  store<u64>(entry, <u64>at | ((<u64>length) << 32), 8)
}

export function checkRootKey(serial: u32, at: usize, length: usize, hash: u64): void {
  if (keysLeft == 0) return noRoom()
  keysLeft--
  const slot = (<usize>(hash >> 48) + <usize>serial * 37) & (SLOTS - 1)
  const owner = <u64>serial | (hash & 0xffffffff00000000)
  const entry = TABLE + slot * SLOT_BYTES
  if (load<u32>(entry) >= serialOfRecord) return probe(slot, owner, at, length)
  store<u64>(entry, owner)
  store<u64>(entry, <u64>at | ((<u64>length) << 32), 8)
}

/** One more key that is known to be unlike those before it. */
export function countKey(): void {
  if (keysLeft == 0) return noRoom()
  keysLeft--
}

/** Puts a key that countKey has counted into the table, for those that come later. */
export function knowRootKey(serial: u32, at: usize, length: usize, hash: u64): void {
  if (!checking) return
  keysLeft++
  checkRootKey(serial, at, length, hash)
}

export function isChecking(): bool {
  return checking
}

/** A key with escapes: equal keys must have equal bytes, else the record is SLOW. */
export function checkEscapes(start: usize, end: usize): void {
  if (checking && !plainestEscapes(start, end)) addSlow(SLOW_ESCAPED_KEY)
}

function hexValue(byte: u32): u32 {
  if (byte - 48 <= 9) return byte - 48
  return byte - 97 <= 5 ? byte - 87 : 1000
}

/** Value of four lower-case hexadecimal digits; 0xffffffff when a digit is upper-case. */
function hexUnit(at: usize): u32 {
  const a = hexValue(load<u8>(at))
  const b = hexValue(load<u8>(at, 1))
  const c = hexValue(load<u8>(at, 2))
  const d = hexValue(load<u8>(at, 3))
  return a > 15 || b > 15 || c > 15 || d > 15 ? 0xffffffff : (a << 12) | (b << 8) | (c << 4) | d
}

/**
 * True when a valid key is escaped exactly as JSON.stringify does it: then equal keys have equal bytes.
 * Surrogate escapes count as needless: cleaning decides about them.
 */
function plainestEscapes(start: usize, end: usize): bool {
  let at = start
  while (at < end) {
    if (load<u8>(at) != 92) {
      at++
      continue
    }
    const kind = load<u8>(at, 1)
    if (kind == 47) return false
    if (kind == 117) {
      const unit = hexUnit(at + 2)
      if (unit > 31 || (unit >= 8 && unit <= 13 && unit != 11)) return false
      at += 6
    } else at += 2
  }
  return true
}
