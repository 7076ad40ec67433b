// Windows: per service slot, what the records since the last look say: statuses of failed requests, and a sketch of latencies.

/*
 * The buckets of DDSketch (Masson, Rim, Lee, VLDB 2019) with cubic interpolation: the same constants as in protocol/sampling/sketch-buckets.ts,
 * which derives them. A test compares the two bit by bit.
 */
const BUCKETS_PER_OCTAVE: u32 = 35
const BUCKETS: u32 = 1400
const EXPONENT_MIN: i32 = -10
const LATENCY_MIN_MS: f64 = 0.0009765625
const LATENCY_MAX_MS: f64 = 1073741824

/** A slot: u32 status errors, u32 place in the list of touched slots (0 = not there), u32 lowest bucket, u32 the one after the highest; u32 counts by bucket. */
const HEADER: usize = 16
const SLOT_BYTES: usize = 5632

let slots: u32 = 0
let base: usize = 0
/** The touched slots, in no order. */
let touched: usize = 0
let touchedCount: u32 = 0

/** Bytes that `count` slots take: the slots, and a list of the touched ones. */
export function windowsBytes(count: u32): usize {
  return <usize>count * (SLOT_BYTES + 4)
}

export function windowSlotBytes(): usize {
  return SLOT_BYTES
}

/** Gives the windows their memory: windowsBytes(count) of zeros. */
export function windowsBegin(at: usize, count: u32): void {
  base = at
  slots = count
  touched = at + <usize>count * SLOT_BYTES
  touchedCount = 0
}

export function windowsTouched(): u32 {
  return touchedCount
}

export function windowsTouchedPtr(): usize {
  return touched
}

function bucketOf(ms: f64): u32 {
  if (!(ms >= LATENCY_MIN_MS)) return 0
  if (ms >= LATENCY_MAX_MS) return BUCKETS - 1
  const bits = reinterpret<u64>(ms)
  const exponent = <i32>(bits >> 52) - 1023
  const s = reinterpret<f64>((bits & 0xfffffffffffff) | 0x3ff0000000000000) - 1
  const inOctave = <u32>(((6 * s - 21) * s + 50) * s)
  return <u32>(exponent - EXPONENT_MIN) * BUCKETS_PER_OCTAVE + min<u32>(inOctave, BUCKETS_PER_OCTAVE - 1)
}

function touch(at: usize, slot: u32): void {
  if (load<u32>(at, 4) != 0) return
  store<u32>(touched + ((<usize>touchedCount) << 2), slot)
  store<u32>(at, ++touchedCount, 4)
}

function slotAt(slot: u32): usize {
  return base + <usize>slot * SLOT_BYTES
}

/** A slot that is none is 0, the shared one. */
function known(slot: u32): u32 {
  return slot < slots ? slot : 0
}

export function countStatusError(slot: u32): void {
  if (base == 0) return
  slot = known(slot)
  const at = slotAt(slot)
  touch(at, slot)
  store<u32>(at, load<u32>(at) + 1)
}

export function countLatency(slot: u32, ms: f64): void {
  if (base == 0) return
  slot = known(slot)
  const at = slotAt(slot)
  touch(at, slot)
  const bucket = bucketOf(ms)
  const low = load<u32>(at, 8)
  const high = load<u32>(at, 12)
  if (high == 0 || bucket < low) store<u32>(at, bucket, 8)
  if (bucket >= high) store<u32>(at, bucket + 1, 12)
  const cell = at + HEADER + ((<usize>bucket) << 2)
  store<u32>(cell, load<u32>(cell) + 1)
}

/** Zeroes a slot and takes it off the list of touched ones. */
export function windowClear(slot: u32): void {
  const at = slotAt(slot)
  const place = load<u32>(at, 4)
  if (place == 0) return
  const last = load<u32>(touched + ((<usize>--touchedCount) << 2))
  store<u32>(touched + ((<usize>(place - 1)) << 2), last)
  store<u32>(slotAt(last), place, 4)
  const low = <usize>load<u32>(at, 8)
  memory.fill(at + HEADER + (low << 2), 0, (<usize>load<u32>(at, 12) - low) << 2)
  memory.fill(at, 0, HEADER)
}
