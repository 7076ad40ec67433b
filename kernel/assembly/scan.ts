// Splitting a slab into lines and records: plain lines, the container runtime's (CRI) lines, or spans that the caller prepared.
import { beginRuns, runsNext, scanContent } from './record'
import * as T from './table'
import { readTime, timeDigits, timeNs } from './time'

let resume: usize = 0
let runsFrom: usize = 0

/** Where the last scanLines stopped: inEnd, or the first line it had no room for. */
export function scanResume(): usize {
  return resume
}

/** Run pairs that the last scanLines or scanSpans used. */
export function scanRunsUsed(): u32 {
  return <u32>((runsNext() - runsFrom) >> 3)
}

/** No byte above 127 was seen up to the end that findEnd returned (it may be false for a byte after the last line). */
let plain: bool = true

/** Address of the first \n in [at, end), or end. */
function findEnd(at: usize, end: usize): usize {
  const newline = i8x16.splat(10)
  let seen = i8x16.splat(0)
  while (at + 64 <= end) {
    const a = v128.load(at)
    const b = v128.load(at, 16)
    const c = v128.load(at, 32)
    const d = v128.load(at, 48)
    const front = v128.or(i8x16.eq(a, newline), i8x16.eq(b, newline))
    const back = v128.or(i8x16.eq(c, newline), i8x16.eq(d, newline))
    if (v128.any_true(v128.or(front, back))) break
    seen = v128.or(seen, v128.or(v128.or(a, b), v128.or(c, d)))
    at += 64
  }
  let high = i8x16.bitmask(seen)
  while (at < end) {
    const block = v128.load(at)
    const mask = i8x16.bitmask(i8x16.eq(block, newline))
    const highMask = i8x16.bitmask(block)
    if (mask != 0) {
      const offset = ctz(mask)
      plain = (high | (highMask & ((1 << offset) - 1))) == 0
      at += <usize>offset
      return at < end ? at : end
    }
    high |= highMask
    at += 16
  }
  plain = high == 0
  return end
}

function clearEntry(entry: usize): void {
  const zero = i8x16.splat(0)
  for (let at = entry; at < entry + T.RECORD_BYTES; at += 64) {
    v128.store(at, zero)
    v128.store(at, zero, 16)
    v128.store(at, zero, 32)
    v128.store(at, zero, 48)
  }
}

/** Reads the CRI prefix of the line [start, end) into the entry; returns the content's start, 0 when the prefix is malformed. */
function readPrefix(entry: usize, start: usize, end: usize): usize {
  // The shortest prefix: 20 bytes of time, space, 6 bytes of stream, space, one letter.
  if (end - start < 29) return 0
  // Nanoseconds and Z, as the runtimes write it; else look for the space.
  let at =
    load<u8>(start, 30) == 32 && load<u8>(start, 29) == 90 && load<u8>(start, 28) != 32
      ? start + 30
      : start + 20
  const timeLimit = end - start > 48 ? start + 48 : end
  while (at < timeLimit && load<u8>(at) != 32) at++
  if (at + 9 > end || load<u8>(at) != 32 || load<u8>(start, 10) != 84 || load<u8>(start, 19) == 32) return 0
  if (load<u8>(at - 1) != 90 && load<u8>(at - 3) != 58) return 0
  if (!readTime(start, at)) return 0
  const stream = load<u64>(at + 1) & 0xffffffffffffff
  let flags: u32 = T.F_HAS_CRI_TIME
  if (stream == 0x20727265647473) flags |= T.F_STDERR
  else if (stream != 0x2074756f647473) return 0
  const tag = load<u8>(at, 8)
  if (tag == 80) flags |= T.F_PARTIAL
  else if (tag != 70) return 0
  at += 9
  if (at < end && load<u8>(at) == 58) while (at < end && load<u8>(at) != 32) at++
  if (at < end && load<u8>(at) != 32) return 0
  store<u32>(entry, flags, T.FLAGS)
  store<i64>(entry, timeNs, T.TS)
  store<u32>(entry, timeDigits, T.TS_DIGITS)
  return at < end ? at + 1 : end
}

function scanLine(entry: usize, start: usize, end: usize, format: u32, trust: u32): void {
  clearEntry(entry)
  store<u32>(entry, <u32>start, T.LINE_START)
  let content = start
  if (end > start && load<u8>(end - 1) == 13) end--
  if (format == 1) {
    content = readPrefix(entry, start, end)
    if (content == 0) {
      content = start
      store<u32>(entry, T.F_CRI_MALFORMED, T.FLAGS)
    }
  }
  store<u32>(entry, <u32>content, T.START)
  store<u32>(entry, <u32>end, T.END)
  if ((load<u32>(entry, T.FLAGS) & T.F_PARTIAL) == 0) scanContent(entry, content, end, trust, plain, false)
}

/** format 0: a line is a record; 1: CRI lines. Returns the number of entries filled; stops when table or runs have no room. */
export function scanLines(
  inPtr: usize,
  inEnd: usize,
  format: u32,
  trust: u32,
  tablePtr: usize,
  tableMax: u32,
  runsPtr: usize,
  runsMax: u32,
): u32 {
  runsFrom = runsPtr
  beginRuns(runsPtr)
  const runsLast = runsPtr + ((<usize>runsMax) << 3) - (T.RUNS_RESERVE << 3)
  let at = inPtr
  let count: u32 = 0
  let entry = tablePtr
  while (at < inEnd && count < tableMax && runsNext() <= runsLast) {
    const end = findEnd(at, inEnd)
    const next = end < inEnd ? end + 1 : end
    scanLine(entry, at, end, format, trust)
    store<u32>(entry, <u32>next, T.LINE_END)
    entry += T.RECORD_BYTES
    count++
    at = next
  }
  resume = at
  return count
}

/** Scans the content of `count` entries in which START, END, FLAGS, TS, TS_DIGITS and LINE_* are set; returns how many it did. */
export function scanSpans(tablePtr: usize, count: u32, trust: u32, runsPtr: usize, runsMax: u32): u32 {
  runsFrom = runsPtr
  beginRuns(runsPtr)
  const runsLast = runsPtr + ((<usize>runsMax) << 3) - (T.RUNS_RESERVE << 3)
  for (let n: u32 = 0; n < count; n++) {
    if (runsNext() > runsLast) return n
    const entry = tablePtr + <usize>n * T.RECORD_BYTES
    const flags = load<u32>(entry, T.FLAGS)
    if ((flags & (T.F_PARTIAL | T.F_SKIP)) != 0) continue
    const start = <usize>load<u32>(entry, T.START)
    let end = <usize>load<u32>(entry, T.END)
    // A cleaned record has lost its carriage return already.
    if ((flags & T.F_CLEANED) == 0 && end > start && load<u8>(end - 1) == 13) end--
    store<u32>(entry, <u32>end, T.END)
    store<u32>(entry, 0, T.LEVEL)
    memory.fill(entry + T.SERVICE, 0, T.RECORD_BYTES - T.SERVICE)
    const kept =
      flags & (T.F_PARTIAL | T.F_STDERR | T.F_TRUNCATED | T.F_CRI_MALFORMED | T.F_HAS_CRI_TIME | T.F_CLEANED)
    store<u32>(entry, kept, T.FLAGS)
    const newline = findEnd(start, end)
    if (newline < end) scanContent(entry, start, end, trust, false, true)
    else scanContent(entry, start, end, trust, plain, false)
  }
  return count
}
