// The part of a verdict that hangs on the record's own status and latency: its rate by status, and what its service's window counts.
import { settleNested } from './field-objects'
import { settleLatency } from './field-values'
import { serviceOf } from './streams'
import * as T from './table'
import { countLatency, countStatusError } from './windows'

const LEVEL_ERROR: u32 = 5
const LOG_TYPE_APP: u32 = 0
const TABLE_SHIFT: usize = 12
/** Tables 1 … 64 of 1,000 f32 rates by status, 4,096 bytes each; NaN = the stream's rate. JavaScript writes them. */
const STATUS_RATES: usize = memory.data(65 * 4096, 16)

export function statusRatesPtr(): usize {
  return STATUS_RATES
}

/** True when the scan found a configured field, or an object that may hold one. */
export function hasFields(entry: usize): bool {
  return (load<u64>(entry, T.STATUS) | <u64>load<u32>(entry, T.FIELD_BITS)) != 0
}

/** Counts the record in its service's window; returns its rate. */
export function judgeFields(entry: usize, stream: u32, rate: f32): f32 {
  settleNested(entry)
  settleLatency(entry)
  const status = load<u32>(entry, T.STATUS)
  const service = serviceOf(stream)
  if (load<u32>(entry, T.LOG_TYPE) == LOG_TYPE_APP) {
    if (status > 500 && load<u32>(entry, T.LEVEL) < LEVEL_ERROR) countStatusError(service & 0xffff)
    if (load<u32>(entry, T.LATENCY) != 0) countLatency(service & 0xffff, load<f64>(entry, T.LATENCY_MS))
  }
  const table = <usize>(service >> 16)
  if (table == 0 || status == 0) return rate
  const own = load<f32>(STATUS_RATES + (table << TABLE_SHIFT) + ((<usize>(status - 1)) << 2))
  return isNaN<f32>(own) ? rate : own
}
