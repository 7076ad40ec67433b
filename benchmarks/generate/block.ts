// Records made once and written many times: a block of lines in which only time, running number and trace id change each time.
// Making a record costs microseconds, changing one a tenth of that: so one thread writes more than the pipeline reads.
import { criLines, PIECE_BYTES } from './cri.js'
import { jsonLine } from './lines.js'
import { LEVELS, type LevelName, levelAt, type Mix } from './mix.js'
import { FRACTION_AT, type RunningStamp, writeThree } from './running-stamp.js'
import { STAMP_BYTES } from './stamp.js'

export interface BlockOptions {
  readonly service: string
  readonly records: number
  readonly mix: Mix
  /** Bytes of one line without what the runtime puts before it: the smallest and the largest. Left out: about 365. */
  readonly sizes?: readonly [number, number] | undefined
  /** Share of records of 40 KB, which the runtime splits in pieces. */
  readonly partials: number
  /** Share of lines that are not JSON: klog, and a panic on stderr. */
  readonly texts: number
  readonly random: () => number
}

export interface Block {
  readonly bytes: Buffer
  readonly records: number
  /** Where the record ends; the first begins at 0. */
  end(record: number): number
  level(record: number): LevelName
  /** Writes time, number and trace id into one record. */
  patch(record: number, stamp: RunningStamp, seq: number): void
}

/** Running numbers have ten digits, always: `"seq":1000000000` is the first. */
export const SEQ_FROM = 1_000_000_000
const TRACE_DIGITS = 32
const PARTIAL_BYTES = 40_000
const STAMP_HOLE = '0000-00-00T00:00:00.000000000Z'
const TRACE_KEY = '"trace_id":"'
/** 00 to ff as text. */
const HEX = Buffer.from(Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, '0')).join(''))

export function makeBlock(options: BlockOptions): Block {
  const made = Array.from({ length: options.records }, () => makeRecord(options))
  const bytes = Buffer.concat(made.map(({ lines }) => lines))
  const ends = new Uint32Array(made.length)
  const stampsFrom = new Uint32Array(made.length + 1)
  const seqAt = new Int32Array(made.length)
  const traceAt = new Int32Array(made.length)
  const stampsAt: number[] = []
  let from = 0
  for (const [n, { lines }] of made.entries()) {
    const to = from + lines.length
    for (let at = bytes.indexOf(STAMP_HOLE, from); at >= 0 && at < to; at = bytes.indexOf(STAMP_HOLE, at + 1))
      stampsAt.push(at)
    seqAt[n] = bytes.indexOf(String(SEQ_FROM), from)
    const trace = lines.indexOf(TRACE_KEY)
    traceAt[n] = trace < 0 ? -1 : from + trace + TRACE_KEY.length
    stampsFrom[n + 1] = stampsAt.length
    ends[n] = to
    from = to
  }
  const stamps = Uint32Array.from(stampsAt)
  /** Which second is written in each record: until it changes nine digits are enough. */
  const seconds = new Float64Array(made.length)
  let state = Math.floor(options.random() * 2 ** 32) | 1
  return {
    bytes,
    records: made.length,
    end: (record) => ends[record] as number,
    level: (record) => (made[record] as MadeRecord).level,
    patch(record, stamp, seq) {
      const from = seconds[record] === stamp.second() ? FRACTION_AT : 0
      seconds[record] = stamp.second()
      for (let n = stampsFrom[record] as number; n < (stampsFrom[record + 1] as number); n++)
        writeStamp(bytes, stamps[n] as number, stamp.bytes, from)
      writeSeq(bytes, seqAt[record] as number, seq)
      const trace = traceAt[record] as number
      if (trace >= 0) state = writeTrace(bytes, trace, state)
    },
  }
}

interface MadeRecord {
  readonly lines: Buffer
  readonly level: LevelName
}

function makeRecord(options: BlockOptions): MadeRecord {
  const { random, service, mix } = options
  const level = levelAt(mix, random())
  const kind = random()
  if (kind < options.texts) return makeText(service, level, random)
  const line = { service, seq: SEQ_FROM, stamp: STAMP_HOLE, random }
  const bytes = kind < options.texts + options.partials ? PARTIAL_BYTES : sizeOf(options)
  const json = Buffer.from(jsonLine(bytes === undefined ? line : { ...line, bytes }, level))
  return { lines: criLines({ content: json, stderr: false }, STAMP_HOLE), level }
}

/** Spread evenly over the logarithm, so that small and large ones both occur. */
function sizeOf({ sizes, random }: BlockOptions): number | undefined {
  if (sizes === undefined) return undefined
  const [least, most] = sizes
  return Math.round(least * (most / least) ** random())
}

function makeText(service: string, level: LevelName, random: () => number): MadeRecord {
  const panic = random() < 0.2
  const text = panic
    ? `panic: runtime error: invalid memory address or nil pointer dereference seq=${SEQ_FROM}`
    : `${level[0]}1123 10:00:00.000000       1 server.go:42] plain text of ${service} seq=${SEQ_FROM}`
  return {
    lines: criLines({ content: Buffer.from(text), stderr: panic }, STAMP_HOLE),
    level: panic ? 'FATAL' : LEVELS.includes(level) ? level : 'INFO',
  }
}

function writeStamp(into: Buffer, at: number, stamp: Uint8Array, from: number): void {
  for (let n = from; n < STAMP_BYTES - 1; n++) into[at + n] = stamp[n] as number
}

function writeSeq(into: Buffer, at: number, seq: number): void {
  const thousands = Math.floor(seq / 1000)
  const millions = Math.floor(seq / 1_000_000)
  const billions = Math.floor(seq / 1_000_000_000)
  into[at] = 48 + billions
  writeThree(into, at + 1, millions - billions * 1000)
  writeThree(into, at + 4, thousands - millions * 1000)
  writeThree(into, at + 7, seq - thousands * 1000)
}

/** Marsaglia's xorshift32 (Xorshift RNGs, 2003): eight digits a step. Returns the new state. */
function writeTrace(into: Buffer, at: number, from: number): number {
  let state = from
  for (let n = 0; n < TRACE_DIGITS; n += 8) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    for (let two = 0; two < 4; two++) {
      const value = (state >>> (8 * two)) & 255
      into[at + n + 2 * two] = HEX[2 * value] as number
      into[at + n + 2 * two + 1] = HEX[2 * value + 1] as number
    }
  }
  return state
}

/** The bound of one record's lines, for callers that size a buffer. */
export function recordBytesMax(options: Pick<BlockOptions, 'sizes' | 'partials'>): number {
  const most = options.partials > 0 ? PARTIAL_BYTES : (options.sizes?.[1] ?? 400)
  return most + (1 + Math.ceil(most / PIECE_BYTES)) * 50
}
