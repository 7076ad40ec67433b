// The entries that need more than the scan: partials, groups, logfmt and klog, lines that are cut, malformed CRI.
import type { Scanner } from '../../kernel/scanner.js'
import { FLAG, SLOW, WORD } from '../../kernel/table.js'
import type { SlabMessage } from '../../protocol/messages.js'
import type { OpenCarry } from '../../protocol/positions.js'
import type { ActorContext } from '../../runtime/actor.js'
import type { BatchOut } from './batch-out.js'
import { type Carries, findCarry, grow, NO_CARRY, withoutCarry } from './carry.js'
import { CANONICAL_FIELDS_BYTES, CUT_LOOK_BYTES, fittingBytes } from './cut.js'
import type { OriginState } from './origin-state.js'
import type { ParseOptions } from './parse.js'
import { klogToJson, logfmtToJson } from './reformat.js'

export interface EntryWork {
  /** Works through entries [0, count) of a fresh scan and flushes them. Returns how many are pieces of a record that has not ended. */
  work(state: OriginState, count: number, slab: SlabMessage): number
  /** The file is at its end: what is open becomes records, but for a partial that may go on in the log's next file. */
  endOpen(state: OriginState, endOffset: number): void
  endGroups(state: OriginState, endOffset: number): void
  endAll(state: OriginState, endOffset: number): void
}

const NEWLINE = new Uint8Array([10])
const decoder = new TextDecoder('latin1')
const CLEAN_REASONS: readonly (readonly [number, string])[] = [
  [SLOW.UTF8, 'utf8'],
  [SLOW.DUPLICATE_KEY, 'duplicate_key'],
  [SLOW.DEPTH, 'depth'],
  [SLOW.ESCAPED_KEY, 'escaped_key'],
  [SLOW.TIMESTAMP, 'timestamp'],
  [SLOW.LEVEL, 'level'],
  [SLOW.TOO_MANY, 'too_many_members'],
  [SLOW.OTHER, 'other'],
]

export function createEntryWork(
  context: ActorContext,
  scanner: Scanner,
  out: BatchOut,
  options: ParseOptions,
): EntryWork {
  const lineMax = options.records.line_bytes_max
  const budget = Math.min(lineMax, options.canonicalBytesMax - CANONICAL_FIELDS_BYTES)
  const { u8 } = scanner.kernel

  function content(record: number): Uint8Array {
    return u8.subarray(scanner.word(record, WORD.START), scanner.word(record, WORD.END))
  }

  function streamOf(record: number): OpenCarry['stream'] {
    return (scanner.flags(record) & FLAG.STDERR) === 0 ? 'stdout' : 'stderr'
  }

  function begin(record: number, kind: OpenCarry['kind']): OpenCarry {
    const digits = scanner.word(record, WORD.TS_DIGITS)
    const hasTime = (scanner.flags(record) & FLAG.HAS_CRI_TIME) !== 0
    const tsNs = hasTime ? criTime(record) : '0'
    return {
      stream: streamOf(record),
      kind,
      tsNs,
      tsDigits: digits,
      lines: 0,
      truncated: false,
      chunks: [],
      length: 0,
    }
  }

  /** The runtime's time of an entry: a record's own time was found in only a piece of it, and does not count yet. */
  function criTime(record: number): string {
    return scanner.tsNs(record).toString()
  }

  /** Makes an entry stand for a carry's joined bytes. */
  function become(record: number, carry: OpenCarry, trust: number): void {
    const [start, end] = out.put(carry.chunks)
    const lineEnd = scanner.word(record, WORD.LINE_END)
    const flags = (carry.stream === 'stderr' ? FLAG.STDERR : 0) | (carry.truncated ? FLAG.TRUNCATED : 0)
    const criFlag = carry.tsNs === '0' ? 0 : FLAG.HAS_CRI_TIME
    scanner.setSpan(record, start, end, flags | criFlag)
    scanner.setTs(record, BigInt(carry.tsNs), carry.tsDigits)
    scanner.setWord(record, WORD.LINE_END, lineEnd)
    finish(record, trust)
    if (carry.truncated) context.metrics.add('lines_truncated_total', 1)
  }

  /** Cuts what is too long and scans a span entry. */
  function finish(record: number, trust: number): void {
    cutLong(record)
    scanner.scanSpans(record, record + 1, trust)
  }

  /** True when the entry had to be cut; it must then be scanned again. */
  function cutLong(record: number): boolean {
    const start = scanner.word(record, WORD.START)
    const length = scanner.word(record, WORD.END) - start
    if (length <= CUT_LOOK_BYTES) return false
    const isJson = (scanner.flags(record) & FLAG.JSON) !== 0
    if (isJson && length <= budget) return false
    const kept = fittingBytes(u8.subarray(start, Math.min(start + length, start + lineMax)), budget)
    if (kept === length) return false
    scanner.setWord(record, WORD.END, start + kept)
    scanner.setWord(record, WORD.FLAGS, scanner.flags(record) | FLAG.TRUNCATED)
    context.metrics.add('lines_truncated_total', 1)
    return true
  }

  function rescan(record: number, trust: number): void {
    // A span is scanned from preset words alone: keep the place, the flags of the line and the runtime's time.
    const keep = FLAG.STDERR | FLAG.TRUNCATED | FLAG.HAS_CRI_TIME | FLAG.CRI_MALFORMED
    const flags = scanner.flags(record) & keep
    const time = (flags & FLAG.HAS_CRI_TIME) === 0 ? 0n : scanner.tsNs(record)
    const digits = scanner.word(record, WORD.TS_DIGITS)
    const lineStart = scanner.word(record, WORD.LINE_START)
    const lineEnd = scanner.word(record, WORD.LINE_END)
    scanner.setSpan(record, scanner.word(record, WORD.START), scanner.word(record, WORD.END), flags)
    scanner.setWord(record, WORD.LINE_START, lineStart)
    scanner.setWord(record, WORD.LINE_END, lineEnd)
    scanner.setTs(record, time, digits)
    scanner.scanSpans(record, record + 1, trust)
  }

  function work(state: OriginState, count: number, slab: SlabMessage): number {
    let from = 0
    let pieces = 0
    const flushTo = (to: number): void => {
      out.flush(from, to)
      from = to
    }
    const change = (record: number, carries: Carries): void => {
      flushTo(record)
      state.carries = carries
      state.grewAtMs = context.clock.monotonic()
      out.carry(carries)
    }
    for (let record = 0; record < count; record++) {
      const flags = scanner.flags(record)
      if ((flags & FLAG.CRI_MALFORMED) !== 0)
        context.metrics.add('records_cleaned_total', 1, { reason: 'cri_malformed' })
      if (out.room() < 2 * lineMax) flushTo(record)
      const stream = streamOf(record)
      const partial = findCarry(state.carries, stream, 'partial')
      if ((flags & FLAG.PARTIAL) !== 0) {
        const grown = grow(partial ?? begin(record, 'partial'), content(record), lineMax)
        change(record, [
          ...(partial === undefined ? state.carries : withoutCarry(state.carries, partial)),
          grown,
        ])
        scanner.setWord(record, WORD.FLAGS, flags | FLAG.SKIP)
        pieces++
        continue
      }
      if (partial !== undefined) {
        const whole = grow(partial, content(record), lineMax)
        change(record, withoutCarry(state.carries, partial))
        become(record, whole, state.trust)
      } else if (slab.cut === true) {
        scanner.setWord(record, WORD.FLAGS, flags | FLAG.TRUNCATED)
        cutLong(record)
        rescan(record, state.trust)
        context.metrics.add('lines_truncated_total', 1)
      } else if (cutLong(record)) {
        rescan(record, state.trust)
      }
      if (state.special) special(state, record, change)
      if ((scanner.flags(record) & FLAG.SKIP) !== 0) pieces++
      const reasons = scanner.word(record, WORD.SLOW_REASON)
      if ((scanner.flags(record) & FLAG.SLOW) !== 0) countReasons(reasons)
    }
    flushTo(count)
    return pieces
  }

  function special(
    state: OriginState,
    record: number,
    change: (record: number, carries: Carries) => void,
  ): void {
    const { origin } = state
    if (state.start !== undefined) return group(state, state.start, record, change)
    const line = content(record)
    if (origin.content === 'text') {
      scanner.setWord(record, WORD.FLAGS, scanner.flags(record) & ~FLAG.JSON)
      return
    }
    const json = origin.content === 'klog' ? klogToJson(line, context.clock.now()) : logfmtToJson(line)
    if (json === undefined || json.length > budget) return
    const [start, end] = out.put([json])
    scanner.setWord(record, WORD.START, start)
    scanner.setWord(record, WORD.END, end)
    rescan(record, state.trust)
  }

  /** A line that starts a record ends the group before it: its entry stands for that group, and the line opens the next. */
  function group(
    state: OriginState,
    start: RegExp,
    record: number,
    change: (at: number, next: Carries) => void,
  ): void {
    const stream = streamOf(record)
    const open = findCarry(state.carries, stream, 'group')
    const line = content(record)
    const isStart = start.test(decoder.decode(line))
    const rest = open === undefined ? state.carries : withoutCarry(state.carries, open)
    const fresh = (): OpenCarry => grow(begin(record, 'group'), line, lineMax)
    if (open === undefined || (!isStart && open.lines < (state.origin.multiline?.linesMax ?? 1000))) {
      const grown =
        open === undefined
          ? fresh()
          : { ...grow(grow(open, NEWLINE, lineMax), line, lineMax), lines: open.lines + 1 }
      change(record, [...rest, grown])
      scanner.setWord(record, WORD.FLAGS, scanner.flags(record) | FLAG.SKIP)
      return
    }
    const next = fresh()
    change(record, [...rest, next])
    become(record, open, state.trust)
  }

  function countReasons(reasons: number): void {
    for (const [bit, reason] of CLEAN_REASONS) {
      if ((reasons & bit) !== 0) context.metrics.add('records_cleaned_total', 1, { reason })
    }
  }

  /** Open carries become records of their own, outside any slab. */
  function end(state: OriginState, ending: Carries, endOffset: number): void {
    for (const carry of ending) {
      state.carries = withoutCarry(state.carries, carry)
      out.open(state, { base: 0, offset: endOffset })
      scanner.beginSpans()
      scanner.setSpan(0, 0, 0, 0)
      become(0, carry, state.trust)
      scanner.setWord(0, WORD.LINE_END, 0)
      out.flush(0, 1)
      context.metrics.add('records_read_total', 1, { source: state.origin.source })
    }
  }

  return {
    work,
    endAll: (state, endOffset) => end(state, state.carries, endOffset),
    endGroups: (state, endOffset) =>
      end(
        state,
        state.carries.filter((carry) => carry.kind === 'group'),
        endOffset,
      ),
    endOpen(state, endOffset) {
      const keep = state.origin.joinKey === undefined ? NO_CARRY : state.carries.filter(isPartial)
      end(
        state,
        state.carries.filter((carry) => !keep.includes(carry)),
        endOffset,
      )
    },
  }
}

function isPartial(carry: OpenCarry): boolean {
  return carry.kind === 'partial'
}
