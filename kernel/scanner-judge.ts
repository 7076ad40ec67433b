// The scanner's sampling side: streams, their rates and counts, and the verdict on a batch of records.
import type { Kernel } from './kernel.js'
import { INTERN_MAX, INTERN_OVERFLOW, STREAMS_MAX } from './table.js'

/** A stream as it is met for the first time. */
export interface NewStream {
  /** Global stream id, 1-based, valid until reset. */
  readonly id: number
  /** ContextFields.id */
  readonly contextId: number
  /** The record's own service_name; undefined: the context's. Text that could not be interned is `overflow`. */
  readonly service: string | undefined
  /** The record's own namespace, where the context does not trust its own. */
  readonly namespace: string | undefined
  /** 0 unknown, 1 TRACE … 6 FATAL; the context's fallback is applied. */
  readonly level: number
  /** 0 app, 1 audit, 2 metric; the context's fallback is applied. */
  readonly logType: number
}

export interface StreamCounts {
  readonly id: number
  readonly seen: number
  readonly kept: number
  /** Content bytes. */
  readonly seenBytes: number
  readonly keptBytes: number
}

export interface JudgeSide {
  /**
   * Decides for each record of [from, to) that is not SKIP or PARTIAL. `rateOf` is asked once for every new stream (0 drop … 1 keep; NaN counts as 1).
   * `nowMs` becomes the time of records without one. Returns false when the stream table has no room (nothing is judged): emit what is judged, seal the frame, reset().
   */
  judge(
    from: number,
    to: number,
    ctxPtr: number,
    nowMs: number,
    rateOf: (stream: NewStream) => number,
  ): boolean
  /** Changes a stream's rate; not between judge and emit of the same records. */
  setRate(id: number, rate: number): void
  rate(id: number): number
  /** Streams known since the last reset: ids 1 … streamCount. */
  streamCount(): number
  /** Reads and zeroes the counts of every stream with seen > 0. */
  takeCounts(each: (counts: StreamCounts) => void): void
  /** True when tables are three quarters full: before the next scan, seal the open frame and call reset. */
  needsReset(): boolean
  /** Forgets streams and interned texts; service slots' windows and status tables stay. Record table entries and the open frame's stream ids are void after it. */
  reset(): void
}

const MISS_WORDS = 6
/** The smallest rate that differs from 0: sample_rate is written with up to 15 decimals. */
const RATE_MIN = 1e-9

/** A rate as the kernel takes it: 0, or 1e-9 … 1. NaN stays. */
export function clampRate(rate: number): number {
  if (rate >= 1) return 1
  return rate < RATE_MIN ? 0 : rate
}
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Plain text of an interned id: raw bytes between the quotes, escapes included, so JSON decodes them. */
function internText(kernel: Kernel, id: number): string | undefined {
  if (id === 0) return undefined
  if (id === INTERN_OVERFLOW) return 'overflow'
  const ptr = kernel.fn.internPtr(id)
  const raw = decoder.decode(kernel.u8.subarray(ptr, ptr + kernel.fn.internLen(id)))
  const text: unknown = JSON.parse(`"${raw}"`)
  return typeof text === 'string' ? decoder.decode(encoder.encode(text)) : raw
}

export function createJudge(kernel: Kernel, tablePtr: number, seed: bigint): JudgeSide {
  const { fn, u32, f32, f64 } = kernel
  const rates = fn.ratesPtr() / 4
  fn.judgeSeed(Number(seed & 0xffffffffn), Number((seed >> 32n) & 0xffffffffn))
  const setRate = (id: number, rate: number): void => {
    f32[rates + id] = Number.isNaN(rate) ? 1 : clampRate(rate)
  }
  const readMisses = (rateOf: (stream: NewStream) => number): void => {
    const first = fn.missPtr() / 4
    const count = fn.missCount()
    for (let n = 0; n < count; n++) {
      const [id = 0, contextId = 0, service = 0, namespace = 0, level = 0, logType = 0] = u32.subarray(
        first + n * MISS_WORDS,
        first + (n + 1) * MISS_WORDS,
      )
      const names = { service: internText(kernel, service), namespace: internText(kernel, namespace) }
      setRate(id, rateOf({ id, contextId, ...names, level, logType }))
    }
    fn.missClear()
  }
  return {
    setRate,
    rate: (id) => f32[rates + id] ?? Number.NaN,
    judge(from, to, ctxPtr, nowMs, rateOf) {
      if (fn.streamCount() + (to - from) > STREAMS_MAX) return false
      fn.judgeNow(nowMs)
      let next = from
      while (next < to) {
        const left = fn.judge(tablePtr, next, to, ctxPtr)
        readMisses(rateOf)
        if (left === 0) return true
        next = fn.judgeNext()
      }
      return true
    },
    streamCount: () => fn.streamCount(),
    takeCounts(each) {
      const seen = fn.seenPtr() / 4
      const kept = fn.keptPtr() / 4
      const seenBytes = fn.seenBytesPtr() / 8
      const keptBytes = fn.keptBytesPtr() / 8
      const count = fn.streamCount()
      for (let id = 1; id <= count; id++) {
        const seenNow = u32[seen + id] ?? 0
        if (seenNow === 0) continue
        const bytes = { seenBytes: f64[seenBytes + id] ?? 0, keptBytes: f64[keptBytes + id] ?? 0 }
        const counts: StreamCounts = { id, seen: seenNow, kept: u32[kept + id] ?? 0, ...bytes }
        u32[seen + id] = 0
        u32[kept + id] = 0
        f64[seenBytes + id] = 0
        f64[keptBytes + id] = 0
        each(counts)
      }
    },
    needsReset: () => fn.streamCount() > (STREAMS_MAX * 3) / 4 || fn.internCount() > (INTERN_MAX * 3) / 4,
    reset() {
      if (fn.emitCount() > 0) {
        const text = 'kernel streams reset under an open frame; seal it and call beginFrame first'
        throw Object.assign(new Error(text), { code: 'kernel.reset' })
      }
      fn.streamsReset()
      fn.internReset()
    },
  }
}
