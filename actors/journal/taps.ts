// Taps: shows operators the records that pass, filtered and at a bounded rate, without ever slowing the journal down.
import { saidOf } from '../../protocol/errors.js'
import { compileFilter } from '../../protocol/filter.js'
import type { Clock } from '../../runtime/clock.js'

export interface Taps {
  /** A filter that can't be compiled, or a tap too many, is refused with a reason. */
  open(id: number, filter: string, limitPerSecond: number): string | undefined
  close(id: number): void
  /** True while a tap has room in this second: then the frame's records are worth looking at. */
  wanted(): boolean
  /** The NDJSON of a committed frame. */
  offer(ndjson: Uint8Array): void
}

interface Tap {
  readonly matches: (recordJson: string) => boolean
  readonly limitPerSecond: number
  /** Records that may still be shown, and bytes that may still be searched, in this second. */
  records: number
  bytes: number
}

const TAPS_MAX = 16
const LIMIT_MAX = 10_000
/** A rare filter on a busy node looks at a part of the records: no more than this a second and tap. */
const SEARCH_BYTES_PER_SECOND = 16 * 1024 * 1024

export function createTaps(clock: Clock, send: (id: number, ndjson: string) => void): Taps {
  const taps = new Map<number, Tap>()
  let second = 0

  function refill(): void {
    const now = Math.floor(clock.monotonic() / 1000)
    if (now === second) return
    second = now
    for (const tap of taps.values()) {
      tap.records = tap.limitPerSecond
      tap.bytes = SEARCH_BYTES_PER_SECOND
    }
  }

  function show(id: number, tap: Tap, lines: readonly string[]): void {
    const matching: string[] = []
    for (const line of lines) {
      if (tap.records <= 0 || tap.bytes <= 0) break
      tap.bytes -= line.length
      if (line === '' || !tap.matches(line)) continue
      tap.records--
      matching.push(line)
    }
    if (matching.length > 0) send(id, `${matching.join('\n')}\n`)
  }

  return {
    open(id, filter, limitPerSecond) {
      if (taps.size >= TAPS_MAX && !taps.has(id)) return `no more than ${TAPS_MAX} taps at a time`
      try {
        const limit = Math.min(LIMIT_MAX, Math.max(1, Math.floor(limitPerSecond)))
        const matches = compileFilter(filter)
        taps.set(id, { matches, limitPerSecond: limit, records: limit, bytes: SEARCH_BYTES_PER_SECOND })
        return undefined
      } catch (error) {
        return saidOf(error)
      }
    },
    close: (id) => void taps.delete(id),
    wanted() {
      if (taps.size === 0) return false
      refill()
      for (const tap of taps.values()) if (tap.records > 0 && tap.bytes > 0) return true
      return false
    },
    offer(ndjson) {
      refill()
      // A copy out of shared memory first: text decoders refuse it.
      const lines = Buffer.from(new Uint8Array(ndjson).buffer).toString('utf8').split('\n')
      for (const [id, tap] of taps) show(id, tap, lines)
    },
  }
}
