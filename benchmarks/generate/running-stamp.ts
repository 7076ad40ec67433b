// A timestamp that is moved on record by record, as bytes: the date is written once a second, nine digits each time.
import { STAMP_BYTES } from './stamp.js'

export interface RunningStamp {
  readonly bytes: Uint8Array
  /** `seconds` since the epoch, whole, and the nanoseconds in them, below 2^31. */
  set(seconds: number, nanos: number): void
}

const DIGITS_AT = 20
/** 000 to 999 as text. */
const THREE = Buffer.from(Array.from({ length: 1000 }, (_, n) => String(n).padStart(3, '0')).join(''))

export function createRunningStamp(): RunningStamp {
  const bytes = Buffer.alloc(STAMP_BYTES)
  let second = -1
  const three = (at: number, number: number): void => {
    bytes[at] = THREE[3 * number] as number
    bytes[at + 1] = THREE[3 * number + 1] as number
    bytes[at + 2] = THREE[3 * number + 2] as number
  }
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
      three(DIGITS_AT, millis)
      three(DIGITS_AT + 3, micros - millis * 1000)
      three(DIGITS_AT + 6, nanos - micros * 1000)
    },
  }
}
