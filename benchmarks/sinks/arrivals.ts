// When each record was acknowledged: by its running number, on the clock that all processes of the machine share.
import { SEQ_FROM } from '../generate/block.js'

export interface Arrivals {
  /** Notes every record in the bytes as acknowledged at `atMs`; one that comes again keeps its first time. */
  note(bytes: Uint8Array, atMs: number): void
  /** By running number from 0; NaN has not come. */
  readonly times: Float64Array
  /** Records that came more than once. */
  again(): number
}

const KEY = Buffer.from('"seq":')
const DIGITS = 10

/** ms of CLOCK_MONOTONIC, which is the same in every process. */
export function sharedNowMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000
}

export function createArrivals(records: number): Arrivals {
  const times = new Float64Array(records).fill(Number.NaN)
  let again = 0
  return {
    times,
    again: () => again,
    note(bytes, atMs) {
      const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
      for (let at = buffer.indexOf(KEY); at >= 0; at = buffer.indexOf(KEY, at + KEY.length)) {
        const seq = numberAt(buffer, at + KEY.length) - SEQ_FROM
        if (!(seq >= 0 && seq < records)) continue
        if (Number.isNaN(times[seq])) times[seq] = atMs
        else again++
      }
    },
  }
}

function numberAt(bytes: Uint8Array, at: number): number {
  let number = 0
  for (let n = at; n < at + DIGITS; n++) number = number * 10 + (bytes[n] ?? 0) - 48
  return number
}
