// The open frame's index: one entry per record, local stream numbers, and timestamps that are unique within a stream.
import { bumpFill } from './judge'
import { STREAM_TIMES } from './streams'
import * as T from './table'
import { powerOf10 } from './time'

const INDEX_BYTES: usize = 32
const MS_NS: i64 = 1000000

/** Per global stream: u32 number of the frame that it was last in, u32 its local number there. */
const LOCALS: usize = memory.data(131080, 16)
/** Global stream ids in local order. */
const STREAM_LIST: usize = memory.data(65540, 16)

let frameNumber: u32 = 0
let indexAt: usize = 0
let count: u32 = 0
let locals: u32 = 0
let minNs: i64 = i64.MAX_VALUE
let maxNs: i64 = 0

export function beginIndex(at: usize): void {
  indexAt = at
  count = 0
  locals = 0
  frameNumber++
  minNs = i64.MAX_VALUE
  maxNs = 0
}

export function indexCount(): u32 {
  return count
}
export function frameStreamsPtr(): usize {
  return STREAM_LIST
}
export function frameStreamCount(): u32 {
  return locals
}
export function frameMinTs(): f64 {
  return <f64>(minNs / MS_NS)
}
export function frameMaxTs(): f64 {
  return <f64>(maxNs / MS_NS)
}

function localStream(stream: u32): u32 {
  const at = LOCALS + ((<usize>stream) << 3)
  if (load<u32>(at) == frameNumber) return load<u32>(at, 4)
  store<u32>(at, frameNumber)
  store<u32>(at, locals, 4)
  store<u32>(STREAM_LIST + ((<usize>locals) << 2), stream)
  return locals++
}

/**
 * The record's time in the index: missing digits are filled with a running number; a time that is not after the stream's newest (or last) by less
 * than 1 ms becomes that plus 1 ns. Loki collapses entries of equal time in metric queries, and sorts by time.
 */
function uniqueTime(stream: u32, ns: i64, digits: u32): i64 {
  if (digits < 9) {
    const unit = powerOf10(9 - digits)
    ns += <i64>(bumpFill() % <u64>unit) - (ns % unit)
  }
  const at = STREAM_TIMES + ((<usize>stream) << 4)
  const newest = load<i64>(at)
  const last = load<i64>(at, 8)
  if (ns <= newest && newest - ns < MS_NS) ns = newest + 1
  else if (ns <= last && last - ns < MS_NS) ns = last + 1
  if (ns > newest) store<i64>(at, ns)
  store<i64>(at, ns, 8)
  return ns
}

export function putIndex(
  entry: usize,
  offset: u32,
  length: u32,
  weight: f32,
  traceOffset: u32,
  traceLength: u32,
): void {
  const stream = load<u32>(entry, T.STREAM)
  const ns = uniqueTime(stream, load<i64>(entry, T.TS), load<u32>(entry, T.TS_DIGITS))
  store<i64>(indexAt, ns)
  store<u32>(indexAt, offset, 8)
  store<u32>(indexAt, length, 12)
  store<u32>(indexAt, localStream(stream), 16)
  store<f32>(indexAt, weight, 20)
  store<u32>(indexAt, traceOffset, 24)
  store<u32>(indexAt, traceLength, 28)
  indexAt += INDEX_BYTES
  count++
  if (ns < minNs) minNs = ns
  if (ns > maxNs) maxNs = ns
}
