// The newest position of every file of every source, as the journal's frames state them; written whole into each new segment.
import { Packr } from 'msgpackr/pack'
import type { Position } from '../../protocol/positions.js'

export interface PositionTable {
  /** In the order of the frames: the newest position of a (source, key) wins. */
  apply(positions: readonly Position[]): void
  of(source: string): Position[]
  all(): Position[]
  /** Called once a new segment is begun, before the snapshot is taken: forgets files that are done for two segments. */
  rotate(): void
  encode(): Uint8Array
  /** Replaces everything by a snapshot; false, and nothing changed, when the bytes are none. */
  load(bytes: Uint8Array | undefined): boolean
}

interface Entry {
  readonly position: Position
  /** Segments begun since the file was done. */
  readonly age: number
}

const ROTATIONS_KEPT = 2
const packr = new Packr({ useRecords: false })

export function createPositionTable(): PositionTable {
  const entries = new Map<string, Entry>()
  const keyOf = (position: Position) => `${position.source}\0${position.key}`
  return {
    apply(positions) {
      for (const position of positions) entries.set(keyOf(position), { position, age: 0 })
    },
    of: (source) =>
      [...entries.values()].flatMap(({ position }) => (position.source === source ? [position] : [])),
    all: () => [...entries.values()].map(({ position }) => position),
    rotate() {
      for (const [key, { position, age }] of entries) {
        if (position.done !== true) continue
        if (age + 1 >= ROTATIONS_KEPT) entries.delete(key)
        else entries.set(key, { position, age: age + 1 })
      }
    },
    encode: () => new Uint8Array(packr.pack([...entries.values()])),
    load(bytes) {
      const list = bytes === undefined ? undefined : unpackList(bytes)
      if (list === undefined) return false
      entries.clear()
      for (const entry of list) entries.set(keyOf(entry.position), entry)
      return true
    },
  }
}

function unpackList(bytes: Uint8Array): Entry[] | undefined {
  try {
    const value = packr.unpack(bytes) as unknown
    const sound =
      Array.isArray(value) && value.every((entry: Partial<Entry>) => typeof entry.position?.key === 'string')
    return sound ? (value as Entry[]) : undefined
  } catch {
    return undefined // Not msgpack: the caller reports a corrupt snapshot.
  }
}
