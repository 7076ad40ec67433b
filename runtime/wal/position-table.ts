// The newest position of every file of every source, as the journal's frames state them; written whole into each new segment.
import { Packr } from 'msgpackr/pack'
import type { Position } from '../../protocol/positions.js'

export interface PositionTable {
  /** In the order of the frames: the newest position of a (source, key) wins. */
  apply(positions: readonly Position[]): void
  /** In the order in which they were written last. */
  of(source: string): Position[]
  all(): Position[]
  /** Called once a new segment is begun, before the snapshot is taken: positions of finished files grow older. */
  rotate(): void
  /** Positions of files that are done for two segments. One may be forgotten once its file is gone, and not before. */
  stale(): Position[]
  /** What became of a stale one's file; does nothing where the file has been read on meanwhile. */
  settle(position: Position, exists: boolean): void
  encode(): Uint8Array
  /** Replaces everything by a snapshot; false, and nothing changed, when the bytes are none. */
  load(bytes: Uint8Array | undefined): boolean
}

interface Entry {
  readonly position: Position
  /** Segments begun since the file was done, or was last seen to exist. */
  readonly age: number
}

const STALE_AGE = 2
const packr = new Packr({ useRecords: false })

export function createPositionTable(): PositionTable {
  const entries = new Map<string, Entry>()
  const keyOf = (position: Position) => `${position.source}\0${position.key}`
  return {
    apply(positions) {
      for (const position of positions) {
        const key = keyOf(position)
        entries.delete(key)
        entries.set(key, { position, age: 0 })
      }
    },
    of: (source) =>
      [...entries.values()].flatMap(({ position }) => (position.source === source ? [position] : [])),
    all: () => [...entries.values()].map(({ position }) => position),
    rotate() {
      for (const [key, { position, age }] of entries)
        if (position.done === true) entries.set(key, { position, age: age + 1 })
    },
    stale: () =>
      [...entries.values()].flatMap(({ position, age }) =>
        position.done === true && age >= STALE_AGE ? [position] : [],
      ),
    settle(position, exists) {
      const key = keyOf(position)
      if (entries.get(key)?.position !== position) return
      if (exists) entries.set(key, { position, age: 0 })
      else entries.delete(key)
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
