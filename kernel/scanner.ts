// The scanner as the ingest actors use it: owns the record table, the runs, the context arena and the open frame in kernel memory.
import { type ContextArena, createContextArena } from './context.js'
import type { Kernel } from './kernel.js'
import { cleanEntries, createCleanArea } from './scanner-clean.js'
import { createFieldSide, type FieldSide, SERVICE_SLOTS } from './scanner-fields.js'
import { createJudge, type JudgeSide } from './scanner-judge.js'
import { RECORD_BYTES, RECORD_WORDS, RUNS_RESERVE, WORD } from './table.js'

export interface ScannerOptions {
  /** Size of the default input region. */
  readonly inputBytes: number
  /** Entries of the record table, at most 4,096 (so that a batch always fits the stream table after needsReset was heeded). */
  readonly recordsMax: number
  /** Pairs for the members that are copied as they are; default 16 per record. */
  readonly runsMax?: number
  readonly contexts: number
  /** Size of the region for one frame's NDJSON: at least 6 × the longest line + 16 KiB, or emit may find no room in an empty frame. */
  readonly frameBytes: number
  /** Index entries of one frame. */
  readonly frameRecordsMax: number
  /** Region for cleaned records; at least 6 × the longest line + 16 KiB. Default frameBytes. */
  readonly cleanBytes?: number
  /** Seed of the sampling generator and of the filled timestamp digits. */
  readonly seed: bigint
  /** Services with a window of their own, slot 0 included, which all others share; at most 65,536. Default 1,024; 5.5 KiB each, touched when used. */
  readonly serviceSlots?: number
}

/** What a frame needs to be sealed. */
export interface SealInfo {
  readonly ndjsonPtr: number
  readonly ndjsonBytes: number
  readonly indexPtr: number
  readonly count: number
  /** Global stream ids; position = the index entries' stream number. */
  readonly streamIds: readonly number[]
  /** Oldest and newest timestamp, ms; 0 when count is 0. */
  readonly minTsMs: number
  readonly maxTsMs: number
}

export interface InputRegion {
  readonly ptr: number
  readonly bytes: Uint8Array
}

export interface Scanner extends JudgeSide, FieldSide {
  readonly kernel: Kernel
  readonly contexts: ContextArena
  readonly recordsMax: number
  /** The default input region (inputBytes long). */
  readonly input: Uint8Array
  readonly inputPtr: number
  /** One more input region with the read slack that the kernel needs; set-up only. */
  allocInput(bytes: number): InputRegion
  /** Scans the lines in [from, to), absolute addresses, into entries 0…; returns their number. `resume()` says where to go on. */
  scanLines(from: number, to: number, format: number, trust: number): number
  /** Address of the first byte that the last scanLines did not do; equal to its `to` when all was done. */
  resume(): number
  /** Begins a batch of spans: the run pairs of an earlier scan are void. scanLines does it by itself. */
  beginSpans(): void
  /** Sets entry `record` (all words zero but START, END, FLAGS, LINE_START, LINE_END) for scanSpans. */
  setSpan(record: number, start: number, end: number, flags: number): void
  /** Scans the contents of entries [from, to), which the caller prepared; returns the first entry not done (runs full: judge and emit the others first). */
  scanSpans(from: number, to: number, trust: number): number
  /**
   * Rewrites the SLOW entries of [from, to) as clean bytes and scans them again. Returns the first entry not done (the region is full):
   * judge and emit [from, result) before the next call, which re-uses the region.
   */
  cleanSlow(from: number, to: number, trust: number): number
  word(record: number, word: number): number
  setWord(record: number, word: number, value: number): void
  flags(record: number): number
  /** Copies a whole entry, for joining and compacting. */
  copyRecord(to: number, from: number): void
  tsNs(record: number): bigint
  setTs(record: number, ns: bigint, digits: number): void
  /** Text of a (start, end) pair of words; undefined when the pair is 0,0. */
  text(record: number, startWord: number): string | undefined
  /** Starts a frame in the frame region: what was in it is gone. */
  beginFrame(): void
  /** Emits the kept records of [from, to); returns the first not emitted: seal, beginFrame and go on there. */
  emit(from: number, to: number, ctxPtr: number): number
  frameBytesUsed(): number
  frameCount(): number
  sealInfo(): SealInfo
}

const SLACK = 128
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

function entryAccess(kernel: Kernel, tablePtr: number) {
  const { u32, view } = kernel
  const table32 = tablePtr / 4
  const word = (record: number, at: number): number => u32[table32 + record * RECORD_WORDS + at] ?? 0
  return {
    word,
    setWord(record: number, at: number, value: number): void {
      u32[table32 + record * RECORD_WORDS + at] = value
    },
    flags: (record: number): number => word(record, WORD.FLAGS),
    copyRecord(to: number, from: number): void {
      const start = table32 + from * RECORD_WORDS
      u32.copyWithin(table32 + to * RECORD_WORDS, start, start + RECORD_WORDS)
    },
    setSpan(record: number, start: number, end: number, flags: number): void {
      const at = table32 + record * RECORD_WORDS
      u32.fill(0, at, at + RECORD_WORDS)
      u32[at + WORD.START] = start
      u32[at + WORD.END] = end
      u32[at + WORD.FLAGS] = flags
      u32[at + WORD.LINE_START] = start
      u32[at + WORD.LINE_END] = end
    },
    tsNs: (record: number): bigint => view.getBigInt64(tablePtr + record * RECORD_BYTES + WORD.TS * 4, true),
    setTs(record: number, ns: bigint, digits: number): void {
      view.setBigInt64(tablePtr + record * RECORD_BYTES + WORD.TS * 4, ns, true)
      u32[table32 + record * RECORD_WORDS + WORD.TS_DIGITS] = digits
    },
    text(record: number, startWord: number): string | undefined {
      const start = word(record, startWord)
      return start === 0 ? undefined : decoder.decode(kernel.u8.subarray(start, word(record, startWord + 1)))
    },
  }
}

function frameSide(kernel: Kernel, tablePtr: number, options: ScannerOptions) {
  const { fn } = kernel
  const outPtr = kernel.alloc(options.frameBytes + SLACK, 64)
  const outLimit = outPtr + options.frameBytes
  const indexPtr = kernel.alloc(options.frameRecordsMax * 32, 64)
  let out = outPtr
  const beginFrame = (): void => {
    out = outPtr
    fn.frameBegin(outPtr, indexPtr)
  }
  beginFrame()
  return {
    beginFrame,
    emit(from: number, to: number, ctxPtr: number): number {
      const next = fn.emit(tablePtr, from, to, ctxPtr, out, outLimit, indexPtr, options.frameRecordsMax)
      out = fn.emitOut()
      return next
    },
    frameBytesUsed: (): number => out - outPtr,
    frameCount: (): number => fn.emitCount(),
    sealInfo(): SealInfo {
      const count = fn.emitCount()
      const first = fn.frameStreamsPtr() / 4
      return {
        ndjsonPtr: outPtr,
        ndjsonBytes: out - outPtr,
        indexPtr,
        count,
        streamIds: Array.from(kernel.u32.subarray(first, first + fn.frameStreamCount())),
        minTsMs: count === 0 ? 0 : fn.frameMinTs(),
        maxTsMs: count === 0 ? 0 : fn.frameMaxTs(),
      }
    },
  }
}

/** Allocates all regions at once; nothing is allocated later. */
export function createScanner(kernel: Kernel, options: ScannerOptions): Scanner {
  const { fn } = kernel
  const runsMax = (options.runsMax ?? options.recordsMax * 16) + 2 * RUNS_RESERVE
  const tablePtr = kernel.alloc(options.recordsMax * RECORD_BYTES, 64)
  const runsPtr = kernel.alloc(runsMax * 8, 64)
  const allocInput = (bytes: number): InputRegion => {
    const ptr = kernel.alloc(bytes + SLACK, 64)
    return { ptr, bytes: kernel.u8.subarray(ptr, ptr + bytes) }
  }
  const input = allocInput(options.inputBytes)
  const contexts = createContextArena(kernel, options)
  const area = createCleanArea(kernel, options.cleanBytes ?? options.frameBytes)
  const entries = entryAccess(kernel, tablePtr)
  let runsUsed = 0
  return {
    kernel,
    contexts,
    recordsMax: options.recordsMax,
    input: input.bytes,
    inputPtr: input.ptr,
    allocInput,
    scanLines(from, to, format, trust) {
      const count = fn.scanLines(from, to, format, trust, tablePtr, options.recordsMax, runsPtr, runsMax)
      runsUsed = fn.scanRunsUsed()
      return count
    },
    resume: () => fn.scanResume(),
    beginSpans() {
      runsUsed = 0
    },
    scanSpans(from, to, trust) {
      const first = tablePtr + from * RECORD_BYTES
      const done = fn.scanSpans(first, to - from, trust, runsPtr + runsUsed * 8, runsMax - runsUsed)
      runsUsed += fn.scanRunsUsed()
      return from + done
    },
    cleanSlow: (from, to, trust) => cleanEntries(kernel, area, tablePtr, from, to, trust),
    ...entries,
    ...frameSide(kernel, tablePtr, options),
    ...createJudge(kernel, tablePtr, options.seed),
    ...createFieldSide(kernel, tablePtr, options.serviceSlots ?? SERVICE_SLOTS),
  }
}
