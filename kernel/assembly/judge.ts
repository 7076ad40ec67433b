// The verdict on a batch of records: each one's stream, its rate, and whether it is kept. Records of one trace share their fate on every node.
import { C_ID, C_LEVEL, C_LOG_TYPE_NUMBER } from './context'
import { hasFields, judgeFields } from './judge-fields'
import { countRecord, rateOf, streamOf } from './streams'
import * as T from './table'
import { namesTrace, traceRandom } from './trace-id'

/** 2^56: OpenTelemetry's consistent probability sampling works on 56 bits of randomness. */
const RANDOM_RANGE: f64 = 72057594037927936

let state: u64 = 0x9e3779b97f4a7c15
let next: u32 = 0
let nowNs: i64 = 0
/** Fills the digits that timestamps lack; begins anywhere, so that nodes differ. */
export let fillCounter: u64 = 0

export function bumpFill(): u64 {
  return fillCounter++
}

export function judgeSeed(low: u32, high: u32): void {
  state = ((<u64>high) << 32) | <u64>low
  if (state == 0) state = 0x9e3779b97f4a7c15
  fillCounter = random() % 1000000000
}

/** The time, ms since the epoch, for records that have none. */
export function judgeNow(ms: f64): void {
  nowNs = <i64>ms * 1000000
}

export function judgeNext(): u32 {
  return next
}

/** xorshift64* (Vigna 2016). */
function random(): u64 {
  state ^= state >> 12
  state ^= state << 25
  state ^= state >> 27
  return state * 0x2545f4914f6cdd1d
}

function isKept(entry: usize, rate: f32): bool {
  if (rate >= 1) return true
  if (rate <= 0) return false
  const threshold = <u64>nearest((1 - <f64>rate) * RANDOM_RANGE)
  const start = <usize>load<u32>(entry, T.TRACE)
  const end = <usize>load<u32>(entry, T.TRACE + 4)
  const value = namesTrace(start, end) ? traceRandom(start, end) : random() >> 8
  return value >= threshold
}

function entryStream(entry: usize, ctx: usize): u32 {
  if (load<u32>(entry, T.LEVEL) == 0) store<u32>(entry, load<u32>(ctx, C_LEVEL), T.LEVEL)
  if (load<u32>(entry, T.LOG_TYPE_RAW) == 0) store<u32>(entry, load<u32>(ctx, C_LOG_TYPE_NUMBER), T.LOG_TYPE)
  const service = load<u32>(entry, T.SERVICE)
  const namespace = load<u32>(entry, T.NAMESPACE)
  return streamOf(
    load<u32>(ctx, C_ID),
    service,
    namespace,
    load<u32>(entry, T.LEVEL),
    load<u32>(entry, T.LOG_TYPE),
  )
}

/**
 * Decides entries [from, to) that are not SKIP, PARTIAL or decided already. Returns how many are undecided because their stream has no rate yet
 * (then judgeNext is the first). The caller has checked that the stream table has room for `to - from` more.
 */
export function judge(tablePtr: usize, from: u32, to: u32, ctxPtr: usize): u32 {
  let undecided: u32 = 0
  next = to
  for (let n = from; n < to; n++) {
    const entry = tablePtr + <usize>n * T.RECORD_BYTES
    let flags = load<u32>(entry, T.FLAGS)
    if ((flags & (T.F_SKIP | T.F_PARTIAL | T.F_JUDGED)) != 0) continue
    const stream = entryStream(entry, ctxPtr)
    let rate = rateOf(stream)
    if (isNaN<f32>(rate)) {
      if (undecided++ == 0) next = n
      continue
    }
    if ((flags & (T.F_HAS_CRI_TIME | T.F_OWN_TIME)) == 0 && load<i64>(entry, T.TS) == 0) {
      store<i64>(entry, nowNs, T.TS)
      store<u32>(entry, 3, T.TS_DIGITS)
    }
    if ((flags & T.F_JSON) != 0 && hasFields(entry)) rate = judgeFields(entry, stream, rate)
    const kept = isKept(entry, rate)
    flags |= T.F_JUDGED
    if (kept) flags |= T.F_KEPT
    store<u32>(entry, flags, T.FLAGS)
    store<u32>(entry, stream, T.STREAM)
    store<f32>(entry, rate, T.RATE)
    countRecord(stream, load<u32>(entry, T.END) - load<u32>(entry, T.START), kept)
  }
  return undecided
}
