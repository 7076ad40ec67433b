// A timestamp that is moved on record by record, as bytes: the date is written once a second, nine digits each time.
import { STAMP_BYTES } from './stamp.js'

export interface RunningStamp {
  readonly bytes: Uint8Array
  /** `seconds` since the epoch, whole, and the nanoseconds in them, below 2^31. */
  set(seconds: number, nanos: number): void
  /** Since the epoch. */
  second(): number
}

/** Where the nine digits are. */
export const FRACTION_AT = 20
/** 000 to 999 as text. */
const THREE = Buffer.from(Array.from({ length: 1000 }, (_, n) => String(n).padStart(3, '0')).join(''))

export function createRunningStamp(): RunningStamp {
  const bytes = Buffer.alloc(STAMP_BYTES)
  let second = -1
  return {
    bytes,
    set(seconds, nanos) {
      if (seconds !== second) {
        second = seconds
        bytes.write(new Date(seconds * 1000).toISOString().slice(0, 19), 0, 'latin1')
        bytes.write('.000000000Z', 19, 'latin1')
      }
      const micros = Math.floor(nanos / 1000)
      const millis = Math.floor(micros / 1000)
      writeThree(bytes, FRACTION_AT, millis)
      writeThree(bytes, FRACTION_AT + 3, micros - millis * 1000)
      writeThree(bytes, FRACTION_AT + 6, nanos - micros * 1000)
    },
    second: () => second,
  }
}

/** A number below 1,000 as three digits. */
export function writeThree(into: Uint8Array, at: number, number: number): void {
  into[at] = THREE[3 * number] as number
  into[at + 1] = THREE[3 * number + 1] as number
  into[at + 2] = THREE[3 * number + 2] as number
}
