// Frames that lie in pieces: their notes wait here until there is room for the whole, and are joined one at a time.
import type { Delivery } from './holding.js'

export interface Parted {
  /** Of the whole frame. */
  readonly bytes: number
  readonly delivery: Delivery
  /** Fetches the pieces and hands the frame over, or gives the note back. Does not reject. */
  join(): Promise<void>
}

export interface Joins {
  add(parted: Parted): void
  /** There may be room now. */
  next(): void
  /** Of the frames that wait or are being joined: as good as held. */
  bytes(): number
  /** Their notes are not acknowledged yet. */
  deliveries(): Delivery[]
  /** Forgets those that wait, and returns their notes. */
  drop(): Delivery[]
}

/** `fits`: whether a frame of so many bytes may be taken now. `ended`: one was joined, or came to nothing. */
export function createJoins(fits: (bytes: number) => boolean, ended: () => void): Joins {
  let waiting: Parted[] = []
  let joining: Parted | undefined

  const all = (): Parted[] => (joining === undefined ? waiting : [joining, ...waiting])

  function next(): void {
    const [first] = waiting
    if (joining !== undefined || first === undefined || !fits(first.bytes)) return
    waiting.shift()
    joining = first
    void first.join().then(() => {
      joining = undefined
      ended()
      next()
    })
  }

  return {
    add(parted) {
      waiting.push(parted)
      next()
    },
    next,
    bytes: () => all().reduce((sum, { bytes }) => sum + bytes, 0),
    deliveries: () => all().map(({ delivery }) => delivery),
    drop() {
      const dropped = waiting.map(({ delivery }) => delivery)
      waiting = []
      return dropped
    },
  }
}
