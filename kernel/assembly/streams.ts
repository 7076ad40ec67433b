// Streams: what records with the same context, service, namespace, level and type share. Numbered as they are met; JavaScript sets their rates.

const STREAMS_MAX: u32 = 16384
const SLOTS: usize = 32768
const MISS_BYTES: usize = 24

/** Slot: u32 stream id, 0 when free. */
const TABLE: usize = memory.data(131072, 64)
/** Per stream: u64 context and ids, u64 level and type. */
const KEYS: usize = memory.data(262160, 16)
const RATES: usize = memory.data(65540, 16)
const SEEN: usize = memory.data(65540, 16)
const KEPT: usize = memory.data(65540, 16)
const SEEN_BYTES: usize = memory.data(131080, 16)
const KEPT_BYTES: usize = memory.data(131080, 16)
/** Per stream: u16 service slot, u16 status table. */
const SERVICES: usize = memory.data(65540, 16)
const MISSES: usize = memory.data(393240, 16)
/** Per stream: i64 newest time, i64 last time. */
export const STREAM_TIMES: usize = memory.data(262160, 16)

let count: u32 = 0
let misses: u32 = 0

export function ratesPtr(): usize {
  return RATES
}
export function seenPtr(): usize {
  return SEEN
}
export function keptPtr(): usize {
  return KEPT
}
export function seenBytesPtr(): usize {
  return SEEN_BYTES
}
export function keptBytesPtr(): usize {
  return KEPT_BYTES
}
export function servicesPtr(): usize {
  return SERVICES
}
export function missPtr(): usize {
  return MISSES
}
export function missCount(): u32 {
  return misses
}
export function missClear(): void {
  misses = 0
}
export function streamCount(): u32 {
  return count
}

export function streamsReset(): void {
  memory.fill(TABLE, 0, SLOTS * 4)
  count = 0
  misses = 0
}

function addStream(slot: usize, a: u64, b: u64): u32 {
  // The caller checks for room; without it all new streams would share the last one.
  if (count == STREAMS_MAX) return count
  const id = ++count
  store<u32>(TABLE + (slot << 2), id)
  const key = KEYS + ((<usize>id) << 4)
  store<u64>(key, a)
  store<u64>(key, b, 8)
  store<f32>(RATES + ((<usize>id) << 2), f32.NaN)
  store<u32>(SERVICES + ((<usize>id) << 2), 0)
  store<u32>(SEEN + ((<usize>id) << 2), 0)
  store<u32>(KEPT + ((<usize>id) << 2), 0)
  store<f64>(SEEN_BYTES + ((<usize>id) << 3), 0)
  store<f64>(KEPT_BYTES + ((<usize>id) << 3), 0)
  store<i64>(STREAM_TIMES + ((<usize>id) << 4), -1)
  store<i64>(STREAM_TIMES + ((<usize>id) << 4), -1, 8)
  const miss = MISSES + <usize>misses * MISS_BYTES
  store<u32>(miss, id)
  store<u32>(miss, <u32>(a >> 32), 4)
  store<u32>(miss, <u32>(a >> 16) & 0xffff, 8)
  store<u32>(miss, <u32>a & 0xffff, 12)
  store<u32>(miss, <u32>b & 15, 16)
  store<u32>(miss, <u32>b >> 4, 20)
  misses++
  return id
}

/** The stream of a key; a new one is added, with rate NaN, and listed as a miss. */
export function streamOf(context: u32, service: u32, namespace: u32, level: u32, logType: u32): u32 {
  const a = ((<u64>context) << 32) | ((<u64>service) << 16) | <u64>namespace
  const b = <u64>(level | (logType << 4))
  let hash = (a ^ (b << 56)) * 0x9e3779b97f4a7c15
  hash = (hash ^ (hash >> 32)) * 0xff51afd7ed558ccd
  let slot = <usize>(hash >> 40) & (SLOTS - 1)
  while (true) {
    const id = load<u32>(TABLE + (slot << 2))
    if (id == 0) return addStream(slot, a, b)
    const key = KEYS + ((<usize>id) << 4)
    if (load<u64>(key) == a && load<u64>(key, 8) == b) return id
    slot = (slot + 1) & (SLOTS - 1)
  }
}

/** Counts a record that was seen, and whether it was kept. */
export function countRecord(stream: u32, bytes: u32, kept: bool): void {
  const at4 = (<usize>stream) << 2
  const at8 = (<usize>stream) << 3
  store<u32>(SEEN + at4, load<u32>(SEEN + at4) + 1)
  store<f64>(SEEN_BYTES + at8, load<f64>(SEEN_BYTES + at8) + <f64>bytes)
  if (!kept) return
  store<u32>(KEPT + at4, load<u32>(KEPT + at4) + 1)
  store<f64>(KEPT_BYTES + at8, load<f64>(KEPT_BYTES + at8) + <f64>bytes)
}

export function rateOf(stream: u32): f32 {
  return load<f32>(RATES + ((<usize>stream) << 2))
}

/** Bits 0–15 the service slot, 16–31 the status table; 0 = none was set. */
export function serviceOf(stream: u32): u32 {
  return load<u32>(SERVICES + ((<usize>stream) << 2))
}
