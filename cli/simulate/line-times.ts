// When each line was written: the runtime's time before it, else the record's own as the kernel reads it.
import { createKernel } from '../../kernel/kernel.js'
import { createScanner, type Scanner } from '../../kernel/scanner.js'
import { FLAG, FORMAT_LINES, TRUST, WORD } from '../../kernel/table.js'

/** Told of every line: its first byte, the byte after its line break, and its time in ms since the epoch, undefined where it has none. */
export type EachLine = (from: number, to: number, timeMs: number | undefined) => void

export interface LineTimes {
  runtime(lines: Buffer, each: EachLine): void
  records(lines: Buffer, each: EachLine): void
}

const NEWLINE = 10
const SPACE = 32
/** `2026-11-23T10:00:00`: lines of the same second begin alike. */
const SECOND_CHARS = 19
const PREFIX_BYTES_MAX = 48
const SCAN_BYTES = 1024 * 1024
const RECORDS_PER_SCAN = 1024
const CLEAN_BYTES = 6 * SCAN_BYTES + 16 * 1024

export function createLineTimes(): LineTimes {
  let scanner: Scanner | undefined
  return {
    runtime: runtimeTimes,
    records: (lines, each) => recordTimes((scanner ??= makeScanner()), lines, each),
  }
}

function runtimeTimes(lines: Buffer, each: EachLine): void {
  let second = ''
  let secondMs: number | undefined
  for (let from = 0; from < lines.length; ) {
    const newline = lines.indexOf(NEWLINE, from)
    const to = newline < 0 ? lines.length : newline + 1
    const head = lines.toString('latin1', from, Math.min(to, from + SECOND_CHARS))
    if (head !== second) {
      second = head
      secondMs = prefixTime(lines, from, to)
    }
    each(from, to, secondMs)
    from = to
  }
}

/** To the second: times in another zone than UTC have the zone behind the fraction. */
function prefixTime(lines: Buffer, from: number, to: number): number | undefined {
  const space = lines.subarray(from, Math.min(to, from + PREFIX_BYTES_MAX)).indexOf(SPACE)
  const ms = space < 0 ? Number.NaN : Date.parse(lines.toString('latin1', from, from + space))
  return Number.isNaN(ms) ? undefined : ms
}

function makeScanner(): Scanner {
  const kernel = createKernel({ memoryBytes: 6 * SCAN_BYTES + 2 * CLEAN_BYTES + 4 * 1024 * 1024 })
  return createScanner(kernel, {
    inputBytes: SCAN_BYTES,
    recordsMax: RECORDS_PER_SCAN,
    contexts: 1,
    frameBytes: 64 * 1024,
    frameRecordsMax: 1,
    cleanBytes: CLEAN_BYTES,
    seed: 1n,
    serviceSlots: 1,
  })
}

function recordTimes(scanner: Scanner, lines: Buffer, each: EachLine): void {
  for (let from = 0; from < lines.length; ) {
    if (scanner.needsReset()) scanner.reset()
    const room = Math.min(scanner.input.length, lines.length - from)
    const whole =
      room === lines.length - from ? room : lines.subarray(from, from + room).lastIndexOf(NEWLINE) + 1
    // A line longer than the region is not looked into: it has the time of the one before.
    if (whole === 0) {
      const newline = lines.indexOf(NEWLINE, from)
      const to = newline < 0 ? lines.length : newline + 1
      each(from, to, undefined)
      from = to
      continue
    }
    scanner.input.set(lines.subarray(from, from + whole))
    scanPiece(scanner, from, whole, each)
    from += whole
  }
}

function scanPiece(scanner: Scanner, offset: number, bytes: number, each: EachLine): void {
  const { inputPtr } = scanner
  const end = inputPtr + bytes
  for (let at = inputPtr; at < end; at = scanner.resume()) {
    const count = scanner.scanLines(at, end, FORMAT_LINES, TRUST.CLUSTER_ID)
    for (let n = 0; n < count; ) {
      // One that has no room in the cleaning area keeps what the first scan found.
      const next = Math.max(scanner.cleanSlow(n, count, TRUST.CLUSTER_ID), n + 1)
      for (; n < next; n++) {
        const own = (scanner.flags(n) & FLAG.OWN_TIME) !== 0
        const from = scanner.word(n, WORD.LINE_START) - inputPtr + offset
        const to = scanner.word(n, WORD.LINE_END) - inputPtr + offset
        each(from, to, own ? Number(scanner.tsNs(n) / 1_000_000n) : undefined)
      }
    }
  }
}
