// Loki entries in protobuf (pkg/push/push.proto of Loki): timestamp, line and structured metadata, spliced from a frame without decoding it.
import { COPY_SLACK, copyWide, decimalLength, writeDecimal } from './copy'

const ENTRY_BYTES: usize = 32
const SECOND_NS: i64 = 1000000000
/** StreamAdapter.entries, EntryAdapter.line and LabelPairAdapter.value are all field 2, length-delimited. */
const FIELD_1: u8 = 0x0a
const FIELD_2: u8 = 0x12
const FIELD_3: u8 = 0x1a
const VARINT_1: u8 = 0x08
const VARINT_2: u8 = 0x10
/** Bytes of a pair's content beside its value and the value's length: a tag, the name's length, the name, a tag. */
const RID_REST: u32 = 2 + 3 + 1
const TRACE_REST: u32 = 2 + 8 + 1
/** "rid" after its length 3 and "trace_id" (after its length 8), little endian. */
const RID_NAME: u32 = 0x64697203
const TRACE_NAME: u64 = 0x64695f6563617274

let lokiEnd: usize = 0
/** The entry that measureEntry saw last. */
let timeBytes: u32 = 0
let seconds: u64 = 0
let nanos: u32 = 0
let digits: u32 = 0
let traceLength: u32 = 0

/** Address after the last byte that lokiEntries or lokiStream wrote. */
export function lokiOut(): usize {
  return lokiEnd
}

function varintLength(value: u64): u32 {
  return value < 128 ? 1 : (70 - <u32>clz(value)) / 7
}

function writeVarint(out: usize, value: u64): usize {
  while (value >= 128) {
    store<u8>(out, <u8>value | 128)
    out++
    value >>>= 7
  }
  store<u8>(out, <u8>value)
  return out + 1
}

/** Length of the trace id that can be copied: 0 when there is none or it holds an escape. */
function plainTrace(record: usize, offset: u32, length: u32): u32 {
  if (offset == 0) return 0
  const text = record + <usize>offset
  for (let i: u32 = 0; i < length; i += 16) {
    const escapes = i8x16.bitmask(i8x16.eq(v128.load(text + <usize>i), i8x16.splat(0x5c)))
    if (escapes != 0 && i + <u32>ctz(escapes) < length) return 0
  }
  return length
}

/** Bytes of an EntryAdapter's content; leaves its parts in the variables above. */
function measureEntry(rawPtr: usize, entry: usize, n: u32, metaLen: u32, ridLen: u32): u32 {
  const ns = load<i64>(entry)
  let whole = ns / SECOND_NS
  let rest = ns - whole * SECOND_NS
  if (rest < 0) {
    rest += SECOND_NS
    whole--
  }
  seconds = <u64>whole
  nanos = <u32>rest
  timeBytes = (seconds != 0 ? 1 + varintLength(seconds) : 0) + (nanos != 0 ? 1 + varintLength(nanos) : 0)
  const length = load<u32>(entry, 12)
  digits = decimalLength(n)
  const ridValue = ridLen + digits
  const ridPair = RID_REST + varintLength(ridValue) + ridValue
  let size = 2 + timeBytes + 1 + varintLength(length) + length + metaLen + 1 + varintLength(ridPair) + ridPair
  traceLength = plainTrace(rawPtr + <usize>load<u32>(entry, 8), load<u32>(entry, 24), load<u32>(entry, 28))
  if (traceLength != 0) {
    const pair = TRACE_REST + varintLength(traceLength) + traceLength
    size += 1 + varintLength(pair) + pair
  }
  return size
}

/** Writes the entry that measureEntry has just measured, with its tag and length. */
function writeEntry(
  out: usize,
  size: u32,
  rawPtr: usize,
  entry: usize,
  n: u32,
  metaPtr: usize,
  metaLen: u32,
  ridPtr: usize,
  ridLen: u32,
): usize {
  store<u8>(out, FIELD_2)
  out = writeVarint(out + 1, size)
  store<u8>(out, FIELD_1)
  store<u8>(out, timeBytes, 1)
  out += 2
  if (seconds != 0) {
    store<u8>(out, VARINT_1)
    out = writeVarint(out + 1, seconds)
  }
  if (nanos != 0) {
    store<u8>(out, VARINT_2)
    out = writeVarint(out + 1, nanos)
  }
  const record = rawPtr + <usize>load<u32>(entry, 8)
  const length = load<u32>(entry, 12)
  store<u8>(out, FIELD_2)
  out = writeVarint(out + 1, length)
  copyWide(out, record, length)
  out += length
  copyWide(out, metaPtr, metaLen)
  out += metaLen
  const ridValue = ridLen + digits
  store<u8>(out, FIELD_3)
  out = writeVarint(out + 1, RID_REST + varintLength(ridValue) + ridValue)
  store<u8>(out, FIELD_1)
  store<u32>(out, RID_NAME, 1)
  store<u8>(out, FIELD_2, 5)
  out = writeVarint(out + 6, ridValue)
  copyWide(out, ridPtr, ridLen)
  out = writeDecimal(out + ridLen, n, digits)
  if (traceLength == 0) return out
  store<u8>(out, FIELD_3)
  out = writeVarint(out + 1, TRACE_REST + varintLength(traceLength) + traceLength)
  store<u16>(out, 0x080a)
  store<u64>(out, TRACE_NAME, 2)
  store<u8>(out, FIELD_2, 10)
  out = writeVarint(out + 11, traceLength)
  copyWide(out, record + <usize>load<u32>(entry, 24), traceLength)
  return out + traceLength
}

/**
 * Appends the entries of records order[from, to), each framed as field 2 of a StreamAdapter: `metaPtr` holds ready field 3 pairs, the
 * rid pair is made of `ridPtr` and the record's number. Stops before the first entry that does not fit (up to 19 bytes may
 * stay unused by this) and returns its position. Reads up to 15 bytes past record, metadata and rid prefix.
 */
export function lokiEntries(
  rawPtr: usize,
  indexPtr: usize,
  orderPtr: usize,
  from: u32,
  to: u32,
  metaPtr: usize,
  metaLen: u32,
  ridPtr: usize,
  ridLen: u32,
  outPtr: usize,
  outLimit: usize,
): u32 {
  let out = outPtr
  let at = from
  for (; at < to; at++) {
    const n = load<u32>(orderPtr + ((<usize>at) << 2))
    const entry = indexPtr + <usize>n * ENTRY_BYTES
    const size = measureEntry(rawPtr, entry, n, metaLen, ridLen)
    if (<u64>out + 6 + <u64>size + <u64>COPY_SLACK > <u64>outLimit) break
    out = writeEntry(out, size, rawPtr, entry, n, metaPtr, metaLen, ridPtr, ridLen)
  }
  lokiEnd = out
  return at
}

/**
 * Appends one StreamAdapter (field 1 of a PushRequest) with `labels` and as many of the entries order[from, to) as fit; returns the
 * first position that was not written. Nothing is written when not even one entry fits.
 */
export function lokiStream(
  rawPtr: usize,
  indexPtr: usize,
  orderPtr: usize,
  from: u32,
  to: u32,
  labelsPtr: usize,
  labelsLen: u32,
  metaPtr: usize,
  metaLen: u32,
  ridPtr: usize,
  ridLen: u32,
  outPtr: usize,
  outLimit: usize,
): u32 {
  lokiEnd = outPtr
  const head: u64 = 1 + varintLength(labelsLen) + <u64>labelsLen
  let total = head
  let at = from
  for (; at < to; at++) {
    const n = load<u32>(orderPtr + ((<usize>at) << 2))
    const size = measureEntry(rawPtr, indexPtr + <usize>n * ENTRY_BYTES, n, metaLen, ridLen)
    const framed: u64 = 1 + varintLength(size) + <u64>size
    if (<u64>outPtr + 11 + total + framed + <u64>COPY_SLACK + 6 > <u64>outLimit) break
    total += framed
  }
  if (at == from) return from
  store<u8>(outPtr, FIELD_1)
  let out = writeVarint(outPtr + 1, total)
  store<u8>(out, FIELD_1)
  out = writeVarint(out + 1, labelsLen)
  copyWide(out, labelsPtr, labelsLen)
  return lokiEntries(
    rawPtr,
    indexPtr,
    orderPtr,
    from,
    at,
    metaPtr,
    metaLen,
    ridPtr,
    ridLen,
    out + labelsLen,
    outLimit,
  )
}
