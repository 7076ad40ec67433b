// The wire form of per-service counts, checked on arrival: anybody with the permission can publish anything.
import { Packr } from 'msgpackr/pack'

/** Info records that services have seen in one second. */
export interface ServiceCount {
  readonly namespace: string
  readonly service: string
  readonly info: number
}

/** What services are looked up by. */
export function serviceKey(namespace: string, service: string): string {
  return `${namespace}\0${service}`
}

/*
 * A message is msgpack: [version, sender, seq, kind, names, counts].
 *   sender  random number of the sender's start: ids and seqs of another sender mean nothing
 *   seq     grows by one a message; a gap means that a change was lost
 *   kind    EVERYTHING: forget what was; CHANGES; CLAIM: the sender begins to sum for the cluster, and knows nothing yet
 *   names   [id, namespace, service, …] for ids that are said for the first time (since EVERYTHING)
 *   counts  [id, count, …]; a count of 0: the service is idle
 */
export interface CountsMessage {
  readonly sender: number
  readonly seq: number
  readonly kind: number
  readonly names: readonly (string | number)[]
  readonly counts: readonly number[]
}

export const CHANGES = 0
export const EVERYTHING = 1
export const CLAIM = 2
const VERSION = 1

/** Services of one sender, and of one cluster; what is over shares one entry with empty names. */
export const SERVICES_MAX = 4096
const NAME_CHARS_MAX = 253
const MESSAGE_BYTES_MAX = 1024 * 1024

const packr = new Packr({ useRecords: false, int64AsType: 'number' })

export function encodeCounts({ sender, seq, kind, names, counts }: CountsMessage): Uint8Array {
  // A copy: pack() returns a view of a pooled buffer.
  return new Uint8Array(packr.pack([VERSION, sender, seq, kind, names, counts]))
}

/** Undefined for whatever is not exactly of this form. */
export function decodeCounts(bytes: Uint8Array): CountsMessage | undefined {
  if (bytes.length === 0 || bytes.length > MESSAGE_BYTES_MAX) return undefined
  let value: unknown
  try {
    value = packr.unpack(bytes)
  } catch {
    return undefined
  }
  if (!Array.isArray(value) || value.length !== 6 || value[0] !== VERSION) return undefined
  const [, sender, seq, kind, names, counts] = value as unknown[]
  if (!isCount(sender) || !isCount(seq) || !isCount(kind) || kind > CLAIM) return undefined
  if (!Array.isArray(names) || names.length % 3 !== 0 || !names.every(isName)) return undefined
  if (!Array.isArray(counts) || counts.length % 2 !== 0 || !counts.every(isCount)) return undefined
  if (counts.some((id, at) => at % 2 === 0 && (id as number) > SERVICES_MAX)) return undefined
  return { sender, seq, kind, names: names as (string | number)[], counts: counts as number[] }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isName(part: unknown, at: number): boolean {
  if (at % 3 === 0) return isCount(part) && part <= SERVICES_MAX
  return typeof part === 'string' && part.length <= NAME_CHARS_MAX
}

export function cutName(name: string): string {
  return name.length > NAME_CHARS_MAX ? name.slice(0, NAME_CHARS_MAX) : name
}
