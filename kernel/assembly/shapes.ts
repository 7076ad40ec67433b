// Shapes: the root keys of earlier records in their order. A record whose keys come in such an order needs no hash, no look-up and no search for duplicates.
import { isChecking, knowRootKey } from './keys'

/** Keys of one shape; the keys after them take the ordinary way. */
const KEYS_MAX: u32 = 32
const KEY_BYTES_MAX: usize = 31
const SHAPES: u32 = 8

/**
 * A key: the 32 bytes from its first on, with the closing quote; u32 mask of the bytes that have to agree, u32 the mask again, u32 length,
 * u32 target, u64 hash. Behind a shape's last key lies one whose second mask is no part of its first: it agrees with nothing.
 */
const NEED: usize = 32
const WANT: usize = 36
const LENGTH: usize = 40
const TARGET: usize = 44
const HASH: usize = 48
const ENTRY_SHIFT: usize = 6
const SHAPE_BYTES: usize = 33 << 6
/** SHAPES shapes, and behind them the one that is being learned. */
const TABLE: usize = memory.data(9 * 33 * 64, 64)
const DRAFT: usize = TABLE + 8 * SHAPE_BYTES
/** For each pair of shapes: how many keys they begin with in common. */
const COMMON: usize = memory.data(8 * 8 * 4, 16)

/** Learning one costs as much as some records save: one in so many records at most is learned. */
const LEARN_COST: u32 = 16
const CREDIT_MAX: u32 = 64
/** Where more than a fifth of the records leave all shapes, so many records do without them: leaving costs more than it saves. */
const PATIENCE_MAX: i32 = 64
const PATIENCE_AGAIN: i32 = 32
const LEFT_COST: i32 = 4
const REST_RECORDS: u32 = 2048

const FOLLOWING: u32 = 0
const LEARNING: u32 = 1
const WITHOUT: u32 = 2

let shapes: u32 = 0
/** The shape that the last record had, or has until now. */
let current: u32 = 0
let oldest: u32 = 0
let state: u32 = FOLLOWING
/** Keys that are looked up are to be told to learnKey. */
export let isLearning: bool = false
/** Keys in the draft, and how many of them another shape begins with. */
let drafted: u32 = 0
let copied: u32 = 0
let credit: u32 = CREDIT_MAX
let patience: i32 = PATIENCE_MAX
/** Records that still do without shapes. */
let resting: u32 = 0

function shapeAt(shape: u32): usize {
  return TABLE + <usize>shape * SHAPE_BYTES
}

function endShape(entry: usize): void {
  store<u32>(entry, 0, NEED)
  store<u32>(entry, 1, WANT)
}

/** What a key stands for has changed. */
export function forgetShapes(): void {
  shapes = 0
  current = 0
  oldest = 0
  resting = 0
  patience = PATIENCE_MAX
  credit = CREDIT_MAX
  endShape(TABLE)
}
forgetShapes()

/** Begins a record: the key that is expected first, 0 when none is. */
export function firstExpected(): usize {
  isLearning = false
  if (resting != 0) {
    resting--
    state = WITHOUT
    return 0
  }
  if (credit < CREDIT_MAX) credit++
  state = FOLLOWING
  return shapeAt(current)
}

/** Whether the key at `key`, with its closing quote, is the expected one. Reads 32 bytes. */
export function agrees(expected: usize, key: usize): bool {
  const low = i8x16.bitmask(i8x16.eq(v128.load(key), v128.load(expected)))
  const high = i8x16.bitmask(i8x16.eq(v128.load(key, 16), v128.load(expected, 16)))
  return ((<u32>low | ((<u32>high) << 16)) & load<u32>(expected, NEED)) == load<u32>(expected, WANT)
}

/** The entry of the key at `key`, which is not the one at `at`, in another shape that began alike; 0: the record has left all shapes. */
export function expectedElsewhere(at: usize, key: usize, serial: u32): usize {
  const keys = <u32>((at - shapeAt(current)) >> ENTRY_SHIFT)
  for (let shape: u32 = 0; shape < shapes; shape++) {
    if (shape == current || load<u32>(COMMON + (<usize>(current * SHAPES + shape) << 2)) < keys) continue
    const other = shapeAt(shape) + ((<usize>keys) << ENTRY_SHIFT)
    if (!agrees(other, key)) continue
    current = shape
    return other
  }
  leave(keys, serial)
  return 0
}

export function nextExpected(at: usize): usize {
  return at + (<usize>1 << ENTRY_SHIFT)
}

export function expectedEnd(at: usize, key: usize): usize {
  return key + <usize>load<u32>(at, LENGTH)
}

export function expectedTarget(at: usize): u32 {
  return load<u32>(at, TARGET)
}

/** From here on keys are looked up; the first `keys` of the shape become known to the search for duplicates. */
function leave(keys: u32, serial: u32): void {
  const from = shapeAt(current)
  for (let n: u32 = 0; n < keys; n++) {
    const entry = from + ((<usize>n) << ENTRY_SHIFT)
    knowRootKey(serial, entry, <usize>load<u32>(entry, LENGTH), load<u64>(entry, HASH))
  }
  state = WITHOUT
  patience -= LEFT_COST
  if (patience <= 0) {
    patience = PATIENCE_AGAIN
    resting = REST_RECORDS
  }
  if (credit < LEARN_COST || keys >= KEYS_MAX || !isChecking()) return
  state = LEARNING
  isLearning = true
  drafted = keys
  copied = keys
  memory.copy(DRAFT, from, (<usize>keys) << ENTRY_SHIFT)
}

/** A key that was looked up becomes part of the draft; from one on that cannot, the rest of the record's keys are not learned. */
export function learnKey(key: usize, length: usize, target: u32, hash: u64): void {
  const need = <u32>(((<u64>2) << (<u64>length)) - 1)
  const low = v128.load(key)
  const high = v128.load(key, 16)
  const escape = i8x16.splat(0x5c)
  const escapes =
    <u32>i8x16.bitmask(i8x16.eq(low, escape)) | ((<u32>i8x16.bitmask(i8x16.eq(high, escape))) << 16)
  if (length > KEY_BYTES_MAX || (escapes & need) != 0 || drafted == KEYS_MAX) {
    isLearning = false
    return
  }
  const entry = DRAFT + ((<usize>drafted) << ENTRY_SHIFT)
  v128.store(entry, low)
  v128.store(entry, high, 16)
  store<u32>(entry, need, NEED)
  store<u32>(entry, need, WANT)
  store<u32>(entry, <u32>length, LENGTH)
  store<u32>(entry, target, TARGET)
  store<u64>(entry, hash, HASH)
  drafted++
}

/** Ends a record that is JSON and has no key twice. */
export function keepShape(): void {
  if (state == FOLLOWING) {
    if (patience < PATIENCE_MAX) patience++
    return
  }
  if (state == WITHOUT || drafted == copied) return
  credit -= LEARN_COST
  current = shapes < SHAPES ? shapes++ : oldest
  oldest = (current + 1) & (SHAPES - 1)
  const to = shapeAt(current)
  memory.copy(to, DRAFT, (<usize>drafted) << ENTRY_SHIFT)
  endShape(to + ((<usize>drafted) << ENTRY_SHIFT))
  for (let shape: u32 = 0; shape < shapes; shape++) {
    const keys = inCommon(to, shapeAt(shape))
    store<u32>(COMMON + (<usize>(current * SHAPES + shape) << 2), keys)
    store<u32>(COMMON + (<usize>(shape * SHAPES + current) << 2), keys)
  }
}

function inCommon(a: usize, b: usize): u32 {
  let keys: u32 = 0
  while (load<u32>(b, NEED) == load<u32>(b, WANT) && agrees(b, a)) {
    if (load<u32>(a, LENGTH) != load<u32>(b, LENGTH) || load<u32>(a, NEED) != load<u32>(a, WANT)) break
    keys++
    a = nextExpected(a)
    b = nextExpected(b)
  }
  return keys
}
