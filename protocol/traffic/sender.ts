// Says per-service counts once a second: small numbers for names, and only the counts that changed.
import {
  CHANGES,
  cutName,
  encodeCounts,
  EVERYTHING,
  SERVICES_MAX,
  type ServiceCount,
  serviceKey,
} from './wire.js'

/** A count that moved by no more than this share is not said again: the error of a sum is as small. */
export const UNCHANGED_SHARE = 0.02
/** A part's entries: some tens of KB, well below a server's max_payload. */
const PART_ENTRIES = 1000
/** A service that was idle for so many messages gives its number back. */
const IDLE_MAX = 300

export interface CountSender {
  /** The message of this second; more when everything is said and it is much. One without changes is sent too: the sender lives. */
  encode(counts: Iterable<ServiceCount>): Uint8Array[]
  /** The next message says everything: for a receiver that is new or lost one. */
  refresh(): void
  /** What was last said of the service with this key. */
  said(key: string): number
}

interface Entry {
  readonly id: number
  readonly namespace: string
  readonly service: string
  named: boolean
  said: number
  count: number
  idle: number
}

/** `sender` is a random number below 2^32. */
export function createCountSender(sender: number): CountSender {
  const entries = new Map<string, Entry>()
  const freeIds: number[] = []
  let ids = 0
  let seq = 0
  let everything = true

  function entryOf(namespace: string, service: string): Entry {
    const known = entries.get(serviceKey(namespace, service))
    if (known !== undefined) return known
    if (entries.size >= SERVICES_MAX - 1 && namespace !== '' && service !== '') return entryOf('', '')
    const names = { namespace: cutName(namespace), service: cutName(service) }
    const entry = { id: freeIds.pop() ?? ++ids, ...names, named: false, said: 0, count: 0, idle: 0 }
    entries.set(serviceKey(namespace, service), entry)
    return entry
  }

  function count(counts: Iterable<ServiceCount>): void {
    for (const entry of entries.values()) entry.count = 0
    for (const { namespace, service, info } of counts)
      entryOf(namespace, service).count += Math.max(0, Math.round(info))
    for (const entry of entries.values()) entry.idle = entry.count > 0 ? 0 : entry.idle + 1
  }

  /** Only before everything is said, which makes the receiver forget all numbers. */
  function forgetIdle(): void {
    for (const [key, entry] of entries) {
      entry.named = false
      if (entry.idle < IDLE_MAX) continue
      entries.delete(key)
      freeIds.push(entry.id)
    }
  }

  function pack(kind: number, part: readonly Entry[]): Uint8Array {
    const names = part
      .filter(({ named }) => !named)
      .flatMap(({ id, namespace, service }) => [id, namespace, service])
    for (const entry of part) {
      entry.named = true
      entry.said = entry.count
    }
    return encodeCounts({
      sender,
      seq: ++seq,
      kind,
      names,
      counts: part.flatMap((entry) => [entry.id, entry.count]),
    })
  }

  return {
    encode(counts) {
      count(counts)
      const all = everything
      everything = false
      if (all) forgetIdle()
      const due = [...entries.values()].filter((entry) => all || moved(entry))
      const parts: Uint8Array[] = []
      for (let at = 0; at === 0 || at < due.length; at += PART_ENTRIES)
        parts.push(pack(all && at === 0 ? EVERYTHING : CHANGES, due.slice(at, at + PART_ENTRIES)))
      return parts
    },
    refresh: () => void (everything = true),
    said: (key) => entries.get(key)?.said ?? 0,
  }
}

function moved({ said, count }: Entry): boolean {
  // From and to nothing always counts: a service that fell silent must not linger.
  if (said === 0 || count === 0) return said !== count
  return Math.abs(count - said) > said * UNCHANGED_SHARE
}
