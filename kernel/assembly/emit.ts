// Writing kept records as canonical NDJSON into a frame, with their index entries.
import * as C from './context'
import { escapedLength, writeEscaped } from './escape'
import { beginIndex, indexCount, putIndex } from './frame-index'
import { copy, literal } from './memory'
import { rateTextOf, rateWeight } from './rate-text'
import * as T from './table'
import { writeTime } from './time'

const TIMESTAMP = literal('{"timestamp":"')
const POD_UID = literal(',"pod_uid":')
const NAMESPACE = literal(',"namespace":')
const CLUSTER_ID = literal(',"cluster_id":')
const LOG_TYPE = literal(',"log_type":')
const POD_NAME = literal(',"pod_name":')
const CONTAINER_NAME = literal(',"container_name":')
const NODE_NAME = literal(',"node_name":')
const STDOUT = literal(',"stream":"stdout"')
const STDERR = literal(',"stream":"stderr"')
const SOURCE = literal(',"source":')
const TRACE = literal(',"trace_id":"')
const SAMPLE_RATE = literal(',"sample_rate":')
const MESSAGE = literal(',"message":')
const TRUNCATED = literal(',"truncated":true')

/** Per level: 48 bytes of text after the timestamp, up to the service's value; the length is in the last byte. */
const LEVELS: usize = memory.data(48 * 8, 16)
function putLevel(level: usize, name: string): void {
  const text = '","log_level":"'
  const tail = '","service_name":'
  let at = LEVELS + level * 48
  for (let i = 0; i < text.length; i++) store<u8>(at++, <u8>text.charCodeAt(i))
  for (let i = 0; i < name.length; i++) store<u8>(at++, <u8>name.charCodeAt(i))
  for (let i = 0; i < tail.length; i++) store<u8>(at++, <u8>tail.charCodeAt(i))
  store<u8>(LEVELS + level * 48 + 47, <u8>(text.length + name.length + tail.length))
}
putLevel(0, 'unknown')
putLevel(1, 'TRACE')
putLevel(2, 'DEBUG')
putLevel(3, 'INFO')
putLevel(4, 'WARN')
putLevel(5, 'ERROR')
putLevel(6, 'FATAL')

/** Names, punctuation, timestamp, level and rate of one record, and what vector stores may touch behind it. */
const FIXED_BYTES: usize = 512

let frameStart: usize = 0
let out: usize = 0
/** Where the trace id's text was written, 0 = none. */
let traceAt: usize = 0

export function frameBegin(outPtr: usize, indexPtr: usize): void {
  frameStart = outPtr
  out = outPtr
  beginIndex(indexPtr)
}

export function emitOut(): usize {
  return out
}

export function emitCount(): u32 {
  return indexCount()
}

/** Appends the name literal and the range of a (start, end) pair at `field`, when it is there. */
function member(to: usize, name: usize, nameBytes: usize, field: usize): usize {
  const from = <usize>load<u32>(field)
  if (from == 0) return to
  to = copy(to, name, nameBytes)
  return copy(to, from, <usize>load<u32>(field, 4) - from)
}

/** As member; the context's (address, length) pair stands in for a missing value. */
function memberOr(to: usize, name: usize, nameBytes: usize, field: usize, fallback: usize): usize {
  if (load<u32>(field) != 0) return member(to, name, nameBytes, field)
  const length = <usize>load<u32>(fallback, 4)
  if (length == 0) return to
  to = copy(to, name, nameBytes)
  return copy(to, load<u32>(fallback), length)
}

function block(to: usize, pair: usize): usize {
  return copy(to, load<u32>(pair), load<u32>(pair, 4))
}

function ownNames(entry: usize): u32 {
  const first =
    load<u32>(entry, T.POD_UID) | load<u32>(entry, T.POD_NAME) | load<u32>(entry, T.CONTAINER_NAME)
  return (
    first |
    load<u32>(entry, T.NAMESPACE_RAW) |
    load<u32>(entry, T.NODE_NAME) |
    load<u32>(entry, T.LOG_TYPE_RAW)
  )
}

/** pod_uid … node_name: the context's block, or member by member when the record brings some of its own. */
function writeNames(to: usize, entry: usize, ctx: usize): usize {
  if (ownNames(entry) == 0) return block(to, ctx + C.C_BLOCK_ALL)
  to = memberOr(to, POD_UID, 11, entry + T.POD_UID, ctx + C.C_POD_UID)
  to = memberOr(to, NAMESPACE, 13, entry + T.NAMESPACE_RAW, ctx + C.C_NAMESPACE)
  to = copy(to, CLUSTER_ID, 14)
  to = block(to, ctx + C.C_CLUSTER_ID)
  to = memberOr(to, LOG_TYPE, 12, entry + T.LOG_TYPE_RAW, ctx + C.C_LOG_TYPE)
  to = memberOr(to, POD_NAME, 12, entry + T.POD_NAME, ctx + C.C_POD_NAME)
  to = memberOr(to, CONTAINER_NAME, 18, entry + T.CONTAINER_NAME, ctx + C.C_CONTAINER_NAME)
  return memberOr(to, NODE_NAME, 13, entry + T.NODE_NAME, ctx + C.C_NODE_NAME)
}

/** `{"timestamp":…,"log_level":…,"service_name":…` */
function writeHead(to: usize, entry: usize, ctx: usize): usize {
  to = copy(to, TIMESTAMP, 14)
  const time = <usize>load<u32>(entry, T.TIME)
  if (time != 0) to = copy(to, time, <usize>load<u32>(entry, T.TIME + 4) - time)
  else to = writeTime(to, load<i64>(entry, T.TS), load<u32>(entry, T.TS_DIGITS))
  const level = LEVELS + <usize>load<u32>(entry, T.LEVEL) * 48
  v128.store(to, v128.load(level))
  v128.store(to, v128.load(level, 16), 16)
  v128.store(to, v128.load(level, 32), 32)
  to += <usize>load<u8>(level, 47)
  const service = <usize>load<u32>(entry, T.SERVICE_RAW)
  if (service == 0) return block(to, ctx + C.C_SERVICE)
  return copy(to, service, <usize>load<u32>(entry, T.SERVICE_RAW + 4) - service)
}

/** source, trace_id, sample_rate. */
function writeMiddle(to: usize, entry: usize): usize {
  to = member(to, SOURCE, 10, entry + T.SOURCE)
  traceAt = 0
  if (load<u32>(entry, T.TRACE) != 0) {
    traceAt = to + 13
    to = member(to, TRACE, 13, entry + T.TRACE)
    store<u8>(to, 34)
    to++
  }
  const rate = load<f32>(entry, T.RATE)
  if (rate >= 1) return to
  const text = rateTextOf(load<u32>(entry, T.STREAM), rate)
  to = copy(to, SAMPLE_RATE, 15)
  return copy(to, text + 1, <usize>load<u8>(text))
}

function writeRuns(to: usize, entry: usize): usize {
  let run = <usize>load<u32>(entry, T.RUNS)
  for (let left = load<u32>(entry, T.RUNS_COUNT); left > 0; left--) {
    const from = <usize>load<u32>(run)
    store<u8>(to, 44)
    to = copy(to + 1, from, <usize>load<u32>(run, 4) - from)
    run += 8
  }
  return to
}

function writeRecord(to: usize, entry: usize, ctx: usize, flags: u32): usize {
  to = writeHead(to, entry, ctx)
  to = writeNames(to, entry, ctx)
  const trustsStream = (load<u32>(ctx, C.C_TRUST) & T.T_STREAM) != 0 && (flags & T.F_CRI_MALFORMED) == 0
  if ((flags & T.F_HAS_CRI_TIME) != 0 || trustsStream) {
    to = copy(to, (flags & T.F_STDERR) != 0 ? STDERR : STDOUT, 18)
  }
  to = block(to, ctx + C.C_LABELS)
  to = writeMiddle(to, entry)
  if ((flags & T.F_JSON) != 0) {
    to = member(to, MESSAGE, 11, entry + T.MESSAGE)
    to = writeRuns(to, entry)
  } else {
    to = copy(to, MESSAGE, 11)
    store<u8>(to, 34)
    to = writeEscaped(to + 1, load<u32>(entry), load<u32>(entry, T.END))
    store<u8>(to, 34)
    to++
  }
  if ((flags & T.F_TRUNCATED) != 0) to = copy(to, TRUNCATED, 17)
  store<u16>(to, 0x0a7d)
  return to + 2
}

function contextBytes(ctx: usize): usize {
  return <usize>(
    (load<u32>(ctx, C.C_SERVICE + 4) + load<u32>(ctx, C.C_BLOCK_ALL + 4) + load<u32>(ctx, C.C_LABELS + 4))
  )
}

/** True when the record surely fits before `limit`. */
function fits(to: usize, limit: usize, entry: usize, flags: u32, fixed: usize): bool {
  const start = <usize>load<u32>(entry)
  const end = <usize>load<u32>(entry, T.END)
  if ((flags & T.F_JSON) != 0) return to + fixed + (end - start) <= limit
  return to + fixed + 6 * (end - start) <= limit || to + fixed + escapedLength(start, end) <= limit
}

/** Writes the kept records of [from, to) from outPtr on; stops before one that might not fit. Returns the next record not emitted. */
export function emit(
  tablePtr: usize,
  from: u32,
  to: u32,
  ctxPtr: usize,
  outPtr: usize,
  outLimit: usize,
  indexPtr: usize,
  indexMax: u32,
): u32 {
  out = outPtr
  const fixed = FIXED_BYTES + contextBytes(ctxPtr)
  for (let n = from; n < to; n++) {
    const entry = tablePtr + <usize>n * T.RECORD_BYTES
    const flags = load<u32>(entry, T.FLAGS)
    if ((flags & T.F_KEPT) == 0) continue
    if (indexCount() >= indexMax || !fits(out, outLimit, entry, flags, fixed)) return n
    const end = writeRecord(out, entry, ctxPtr, flags)
    const weight = load<f32>(entry, T.RATE) >= 1 ? <f32>1 : rateWeight(load<u32>(entry, T.STREAM))
    const traceLength = traceAt == 0 ? 0 : load<u32>(entry, T.TRACE + 4) - load<u32>(entry, T.TRACE)
    const traceOffset = traceLength == 0 ? 0 : <u32>(traceAt - out)
    putIndex(entry, <u32>(out - frameStart), <u32>(end - out - 1), weight, traceOffset, traceLength)
    out = end
  }
  return to
}
