// The positions of all origins as the sampler has seen them: what goes into the header of the next sealed frame.
import type { Origin } from '../../protocol/messages.js'
import type { FileIdentity, Position } from '../../protocol/positions.js'
import { type Carries, closeCarry, NO_CARRY } from '../parse/carry.js'

export interface OriginPositions {
  opened(origin: Origin): void
  closed(origin: number, done: boolean): void
  get(origin: number): Origin | undefined
  /** Everything before `offset` has been emitted or dropped; `carry` is open there. */
  advance(origin: number, offset: number, carry: Carries): void
  identified(origin: number, identity: FileIdentity): void
  dirty(): boolean
  /** Positions that changed since the last take. */
  take(): Position[]
}

interface Entry {
  origin: Origin
  offset: number
  carry: Carries
  identity: FileIdentity | undefined
  done: boolean
}

export function createOriginPositions(): OriginPositions {
  const entries = new Map<number, Entry>()
  /** In the order of their last change: two origins may be of one file, and its newest position has to be the last. */
  const changed = new Set<Entry>()
  function mark(entry: Entry | undefined): entry is Entry {
    if (entry?.origin.file === undefined) return entry !== undefined
    changed.delete(entry)
    changed.add(entry)
    return true
  }
  return {
    opened(origin) {
      const known = entries.get(origin.id)
      if (known !== undefined) known.origin = origin
      else
        entries.set(origin.id, {
          origin,
          offset: 0,
          carry: NO_CARRY,
          identity: origin.file?.identity,
          done: false,
        })
    },
    closed(id, done) {
      const entry = entries.get(id)
      entries.delete(id)
      if (entry === undefined || !done) return
      entry.done = true
      mark(entry)
    },
    get: (id) => entries.get(id)?.origin,
    advance(id, offset, carry) {
      const entry = entries.get(id)
      if (entry === undefined || (entry.offset === offset && entry.carry === carry)) return
      entry.offset = offset
      entry.carry = carry
      mark(entry)
    },
    identified(id, identity) {
      const entry = entries.get(id)
      if (entry !== undefined && mark(entry)) entry.identity = identity
    },
    dirty: () => changed.size > 0,
    take() {
      const positions = [...changed].flatMap(toPosition)
      changed.clear()
      return positions
    },
  }
}

function toPosition({ origin, offset, carry, identity, done }: Entry): Position[] {
  if (origin.file === undefined || identity === undefined) return []
  const { key, path } = origin.file
  return [
    {
      kind: 'file',
      source: origin.source,
      key,
      path,
      identity,
      offset,
      ...(carry.length === 0 ? {} : { carry: carry.map(closeCarry) }),
      ...(done ? { done: true } : {}),
    },
  ]
}
