// Sets of status codes, the missing one included, as bits: what is left of a rule's condition for one record.
import { STATUS_CODES } from './rule-values.js'

/** The place of a record without a status code. */
export const STATUS_ABSENT = STATUS_CODES
const PLACES = STATUS_CODES + 1
const WORDS = Math.ceil(PLACES / 32)

/** Bit `status & 31` of word `status >> 5`; `true` is every status and none, `false` not one. Never changed once made. */
export type StatusSet = boolean | Uint32Array

/** The statuses, STATUS_ABSENT included, that pass. */
export function statusSet(passes: (status: number) => boolean): StatusSet {
  const bits = new Uint32Array(WORDS)
  for (let status = 0; status < PLACES; status++) {
    if (passes(status)) bits[status >> 5] = (bits[status >> 5] as number) | (1 << (status & 31))
  }
  return plain(bits)
}

export function hasStatus(set: StatusSet, status: number): boolean {
  return typeof set === 'boolean' ? set : (((set[status >> 5] as number) >>> (status & 31)) & 1) === 1
}

export function notIn(set: StatusSet): StatusSet {
  if (typeof set === 'boolean') return !set
  return set.map((word, at) => ~word & maskOf(at))
}

export function inBoth(a: StatusSet, b: StatusSet): StatusSet {
  if (typeof a === 'boolean') return a ? b : false
  if (typeof b === 'boolean') return b ? a : false
  return plain(a.map((word, at) => word & (b[at] as number)))
}

export function inEither(a: StatusSet, b: StatusSet): StatusSet {
  if (typeof a === 'boolean') return a ? true : b
  if (typeof b === 'boolean') return b ? true : a
  return plain(a.map((word, at) => word | (b[at] as number)))
}

/** The last word has bits beyond STATUS_ABSENT, which stay 0. */
function maskOf(word: number): number {
  const places = Math.min(32, PLACES - word * 32)
  return places === 32 ? 0xffffffff : 2 ** places - 1
}

function plain(bits: Uint32Array): StatusSet {
  if (bits.every((word) => word === 0)) return false
  return bits.every((word, at) => word === maskOf(at)) ? true : bits
}
