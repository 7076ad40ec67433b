// Cleaning inside the table: SLOW entries get new bytes in a region of their own and are scanned again in place.
import { cleanRecord } from './clean.js'
import type { Kernel } from './kernel.js'
import { FLAG, RECORD_BYTES, RECORD_WORDS, RUNS_RESERVE, WORD } from './table.js'

export interface CleanArea {
  readonly ptr: number
  readonly bytes: number
  readonly runsPtr: number
  readonly runsMax: number
}

const SLACK = 128
/** Runs for cleaned records: a cleaned record has few, since its members are joined by bare commas. */
const CLEAN_RUNS = 16 * RUNS_RESERVE

export function createCleanArea(kernel: Kernel, bytes: number): CleanArea {
  return {
    ptr: kernel.alloc(bytes + SLACK, 64),
    bytes,
    runsPtr: kernel.alloc(CLEAN_RUNS * 8, 64),
    runsMax: CLEAN_RUNS,
  }
}

/** What the caller and the first scan put into FLAGS and what a second scan must see again. */
const KEEP = FLAG.PARTIAL | FLAG.STDERR | FLAG.TRUNCATED | FLAG.CRI_MALFORMED | FLAG.HAS_CRI_TIME

/** The bytes of an entry that even cleaned does not scan become text: never reached while scanner and clean.ts agree. */
function forceText(kernel: Kernel, entry: number): void {
  const at = entry / 4
  kernel.u32[at + WORD.FLAGS] = (kernel.u32[at + WORD.FLAGS] ?? 0) & (KEEP | FLAG.CLEANED)
  kernel.u32[at + WORD.LEVEL] = 0
  kernel.u32.fill(0, at + WORD.SERVICE, at + WORD.RATE)
  kernel.u32.fill(0, at + WORD.TIME, at + WORD.SLOW_REASON)
  kernel.u32.fill(0, at + WORD.STATUS, at + RECORD_WORDS)
}

interface Progress {
  at: number
  runs: number
}

/** False when the region has no room for the entry. */
function cleanEntry(
  kernel: Kernel,
  area: CleanArea,
  entry: number,
  trust: number,
  progress: Progress,
): boolean {
  const { u8, u32, fn } = kernel
  const at = entry / 4
  const flags = u32[at + WORD.FLAGS] ?? 0
  const content = u8.subarray(u32[at + WORD.START], u32[at + WORD.END])
  const streamTrust = trust | ((flags & FLAG.HAS_CRI_TIME) === 0 ? 0 : 128)
  const cleaned = cleanRecord(content, streamTrust)
  const full = progress.at + cleaned.bytes.length > area.ptr + area.bytes
  const runsLeft = area.runsMax - progress.runs
  if (full || runsLeft < 2 * RUNS_RESERVE) {
    if (progress.at > area.ptr) return false
    // One record larger than the whole region: it is cut, as text.
    return cutEntry(kernel, area, entry, cleaned.bytes, progress)
  }
  const reasons = (u32[at + WORD.SLOW_REASON] ?? 0) | cleaned.reasons
  u8.set(cleaned.bytes, progress.at)
  u32[at + WORD.START] = progress.at
  u32[at + WORD.END] = progress.at + cleaned.bytes.length
  u32[at + WORD.FLAGS] = (flags & KEEP) | FLAG.CLEANED
  fn.scanSpans(entry, 1, trust, area.runsPtr + progress.runs * 8, runsLeft)
  progress.runs += fn.scanRunsUsed()
  progress.at += cleaned.bytes.length
  if (((u32[at + WORD.FLAGS] ?? 0) & FLAG.SLOW) !== 0) forceText(kernel, entry)
  u32[at + WORD.SLOW_REASON] = reasons
  u32[at + WORD.DROPPED] = (u32[at + WORD.DROPPED] ?? 0) + cleaned.dropped
  return true
}

function cutEntry(
  kernel: Kernel,
  area: CleanArea,
  entry: number,
  bytes: Uint8Array,
  progress: Progress,
): boolean {
  const { u8, u32 } = kernel
  let length = area.bytes
  while (length > 0 && ((bytes[length] ?? 0) & 0xc0) === 0x80) length--
  u8.set(bytes.subarray(0, length), area.ptr)
  const at = entry / 4
  u32[at + WORD.START] = area.ptr
  u32[at + WORD.END] = area.ptr + length
  forceText(kernel, entry)
  u32[at + WORD.FLAGS] = (u32[at + WORD.FLAGS] ?? 0) | FLAG.TRUNCATED
  progress.at = area.ptr + length
  return true
}

/** See Scanner.cleanSlow. The region is used from its start again. */
export function cleanEntries(
  kernel: Kernel,
  area: CleanArea,
  tablePtr: number,
  from: number,
  to: number,
  trust: number,
): number {
  const { u32 } = kernel
  const progress: Progress = { at: area.ptr, runs: 0 }
  for (let record = from; record < to; record++) {
    const entry = tablePtr + record * RECORD_BYTES
    const flags = u32[entry / 4 + WORD.FLAGS] ?? 0
    if ((flags & FLAG.SLOW) === 0 || (flags & FLAG.SKIP) !== 0) continue
    if (!cleanEntry(kernel, area, entry, trust, progress)) return record
  }
  return to
}
