// When each record was acknowledged: by its running number, on the clock that all processes of the machine share.
import { SEQ_FROM } from '../generate/block.js'

export interface Arrivals {
  /** Notes every record in the bytes as acknowledged at `atMs`; one that comes again keeps its first time. */
  note(bytes: Uint8Array, atMs: number): void
  /** By running number from 0; NaN has not come. */
  readonly times: Float64Array
  /** Records that came more than once. */
  again(): number
  /** How often the mark came. */
  marks(): number
}

const KEY = '"seq":'
const DIGITS = 10

/** ms of CLOCK_MONOTONIC, which is the same in every process. */
export function sharedNowMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000
}

/** `mark`: a text that every record is to have, such as a member that was added to it. */
export function createArrivals(records: number, mark?: string): Arrivals {
  const times = new Float64Array(records).fill(Number.NaN)
  const keys = bothForms(KEY)
  const markForms = mark === undefined ? [] : bothForms(mark)
  let again = 0
  let marks = 0
  return {
    times,
    again: () => again,
    marks: () => marks,
    note(bytes, atMs) {
      const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
      const key = keys.find((form) => buffer.includes(form)) ?? keys[0]
      for (const at of placesOf(buffer, key)) {
        const seq = numberAt(buffer, at) - SEQ_FROM
        if (!(seq >= 0 && seq < records)) continue
        if (Number.isNaN(times[seq])) times[seq] = atMs
        else again++
      }
      const form = markForms.find((each) => buffer.includes(each))
      if (form !== undefined) for (const _ of placesOf(buffer, form)) marks++
    },
  }
}

/** As it stands in a record, and in a record that is a string in JSON, which is how some send it to Loki. */
function bothForms(text: string): [Buffer, Buffer] {
  return [Buffer.from(text), Buffer.from(JSON.stringify(text).slice(1, -1))]
}

/** Behind each occurrence. */
function* placesOf(buffer: Buffer, text: Buffer): Generator<number> {
  for (let at = buffer.indexOf(text); at >= 0; at = buffer.indexOf(text, at + text.length))
    yield at + text.length
}

function numberAt(bytes: Uint8Array, at: number): number {
  let number = 0
  for (let n = at; n < at + DIGITS; n++) number = number * 10 + (bytes[n] ?? 0) - 48
  return number
}
