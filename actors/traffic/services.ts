// The services whose traffic is followed: bounded in number and in the memory of their names; all others share one entry.
import { serviceKey, type ServiceName } from '../../protocol/traffic.js'

export interface Tracked<T> extends ServiceName {
  readonly key: string
  readonly state: T
  /** Monotonic time, ms, of its last record. */
  seenMs: number
}

export interface Services<T> {
  /** The entry of a service: its own, a new one where there is room, else the shared one. */
  of(name: ServiceName, nowMs: number): Tracked<T>
  find(key: string): Tracked<T> | undefined
  /** All entries, and the shared one if it was ever used. */
  each(): Iterable<Tracked<T>>
  readonly shared: Tracked<T>
  /** A service that is not tracked by now shares the common entry. */
  full(): boolean
  size(): number
  /** Lets services go that were silent for so long. */
  expire(nowMs: number, idleMs: number): void
  /** New bound; services beyond it stay until they are silent. */
  resize(max: number): void
}

/** What a service's line of the published decisions takes beside its name. */
const LINE_BYTES = 64
const SHARED: ServiceName = { namespace: '', service: '' }

/** `bytesMax` bounds the text that lists all of them. */
export function createServices<T>(
  make: (name: ServiceName) => T,
  initialMax: number,
  bytesMax: number,
): Services<T> {
  const entries = new Map<string, Tracked<T>>()
  const shared: Tracked<T> = { namespace: '', service: '', key: '', state: make(SHARED), seenMs: -1 }
  let max = initialMax
  let bytes = 0
  const full = (): boolean => entries.size >= max || bytes >= bytesMax
  const lineBytes = ({ namespace, service }: ServiceName): number =>
    Buffer.byteLength(JSON.stringify([namespace, service])) + LINE_BYTES
  return {
    of(name, nowMs) {
      const key = serviceKey(name)
      const known = entries.get(key)
      if (known !== undefined) {
        known.seenMs = nowMs
        return known
      }
      const needed = lineBytes(name)
      if (full() || bytes + needed > bytesMax) {
        shared.seenMs = nowMs
        return shared
      }
      bytes += needed
      const { namespace, service } = name
      const fresh: Tracked<T> = { namespace, service, key, state: make(name), seenMs: nowMs }
      entries.set(key, fresh)
      return fresh
    },
    find: (key) => entries.get(key),
    *each() {
      yield* entries.values()
      if (shared.seenMs >= 0) yield shared
    },
    shared,
    full: () => full() || shared.seenMs >= 0,
    size: () => entries.size,
    expire(nowMs, idleMs) {
      for (const entry of entries.values()) {
        if (nowMs - entry.seenMs < idleMs) continue
        entries.delete(entry.key)
        bytes -= lineBytes(entry)
      }
      if (nowMs - shared.seenMs >= idleMs) shared.seenMs = -1
    },
    resize: (next) => void (max = next),
  }
}
