// The raw exports of kernel.wasm, as the scanner side declares them; the codecs' are in exports-codec.ts.
import type { KernelCodecExports } from './exports-codec.js'

/** Pointers and counts are u32 that arrive as signed numbers; all memory here is below 2 GiB, so they need no `>>> 0`. */
export interface KernelExports extends KernelCodecExports {
  /** First byte after the module's own data. */
  heapBase(): number

  /** Splits lines and scans each. format 0: a line is a record, 1: CRI lines. Returns the number of table entries filled. */
  scanLines(
    inPtr: number,
    inEnd: number,
    format: number,
    trust: number,
    tablePtr: number,
    tableMax: number,
    runsPtr: number,
    runsMax: number,
  ): number
  /** Where the last scanLines stopped: inEnd, or the start of the first line it had no room for. */
  scanResume(): number
  /** Scans the content of prepared entries. Returns how many it did (fewer than count when the runs are full). */
  scanSpans(tablePtr: number, count: number, trust: number, runsPtr: number, runsMax: number): number
  /** Number of run pairs that the last scanLines or scanSpans used. */
  scanRunsUsed(): number

  internReset(): void
  internCount(): number
  internPtr(id: number): number
  internLen(id: number): number

  /** Returns the number of records whose stream has no rate yet. The stream table must have room for `to - from` more. */
  judge(tablePtr: number, from: number, to: number, ctxPtr: number): number
  /** First record that the last judge left undecided (`to` when none). */
  judgeNext(): number
  /** The time, ms since the epoch, for records that have none; set before judge. */
  judgeNow(ms: number): void
  judgeSeed(lo: number, hi: number): void
  /** Streams met for the first time since missClear: entries of 6 u32: stream id, context id, service, namespace, level, log type. */
  missPtr(): number
  missCount(): number
  missClear(): void
  streamsReset(): void
  streamCount(): number
  /** f32 per stream id (1-based; NaN = not decided). */
  ratesPtr(): number
  /** u32 per stream id; JS reads and zeroes them. */
  seenPtr(): number
  keptPtr(): number
  /** f64 per stream id: content bytes. */
  seenBytesPtr(): number
  keptBytesPtr(): number

  /** Per stream id a u32: bits 0–15 the service slot, 16–31 the status table. */
  servicesPtr(): number
  /** Tables 0 … 64 of 1,024 f32, of which the first 1,000 are rates by status. */
  statusRatesPtr(): number

  /** Forgets all configured field names. */
  fieldsReset(): void
  /** Where the next name's text goes. */
  fieldTextPtr(): number
  /** Adds the name at fieldTextPtr, for the root's members or for those of objects of a prefix; 0: no room. Specs are in fields.ts. */
  fieldRoot(length: number, spec: number): number
  fieldNested(prefix: number, length: number, spec: number): number

  /** Bytes that windows of `slots` services take. */
  windowsBytes(slots: number): number
  windowSlotBytes(): number
  windowsBegin(ptr: number, slots: number): void
  /** u32 slots that have something, in no order. */
  windowsTouchedPtr(): number
  windowsTouched(): number
  windowClear(slot: number): void

  frameBegin(outPtr: number, indexPtr: number): void
  /** Writes kept records as canonical NDJSON. Returns the next record not emitted. */
  emit(
    tablePtr: number,
    from: number,
    to: number,
    ctxPtr: number,
    outPtr: number,
    outLimit: number,
    indexPtr: number,
    indexMax: number,
  ): number
  emitOut(): number
  emitCount(): number
  frameStreamsPtr(): number
  frameStreamCount(): number
  frameMinTs(): number
  frameMaxTs(): number
}
