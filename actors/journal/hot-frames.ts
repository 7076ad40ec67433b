// Committed frames whose slots are still held: lent to caught-up writers, given back as soon as none needs them or memory is short.
import type { Clock } from '../../runtime/clock.js'
import type { Slots } from '../../runtime/slots.js'

export interface HotFrame {
  readonly seq: number
  readonly slot: number
  readonly generation: number
  readonly rawBytes: number
  readonly encodedBytes: number
  readonly records: number
}

export interface HotFrames {
  add(frame: HotFrame): void
  get(seq: number): HotFrame | undefined
  lend(seq: number, writer: string): void
  /** A writer has copied the frame. */
  giveBack(seq: number, writer: string): void
  /** A writer is gone: everything lent to it comes back. */
  giveBackAll(writer: string): void
  /**
   * Frees the slots of frames that no writer copies and none waits for (`waitMs` 0); while fewer than a quarter of all slots are free,
   * the oldest that have waited their `waitMs` as well (their readers go to the disk). Reading back costs two checksums, a
   * decompression and the copies between for each writer, so ingest, which can wait, first waits for writers that keep pace.
   * Returns true when frames still wait: sweep again after SWEEP_MS.
   */
  sweep(waitMs: (seq: number) => number): boolean
  size(): number
}

interface Held {
  readonly frame: HotFrame
  readonly lentTo: Set<string>
  readonly sinceMs: number
}

/** How often frames that wait are looked at again when slots are short. */
export const SWEEP_MS = 100

export function createHotFrames(slots: Slots, clock: Pick<Clock, 'monotonic'>): HotFrames {
  /** In the order of seqs: insertion order is commit order. Never larger than the number of slots. */
  const held = new Map<number, Held>()
  const freeWanted = Math.ceil(slots.options.count / 4)

  function free(seq: number, entry: Held): void {
    held.delete(seq)
    slots.release(entry.frame.slot)
  }

  return {
    add: (frame) => void held.set(frame.seq, { frame, lentTo: new Set(), sinceMs: clock.monotonic() }),
    get: (seq) => held.get(seq)?.frame,
    lend: (seq, writer) => void held.get(seq)?.lentTo.add(writer),
    giveBack: (seq, writer) => void held.get(seq)?.lentTo.delete(writer),
    giveBackAll(writer) {
      for (const { lentTo } of held.values()) lentTo.delete(writer)
    },
    sweep(waitMs) {
      for (const [seq, entry] of held) if (entry.lentTo.size === 0 && waitMs(seq) === 0) free(seq, entry)
      let short = freeWanted - slots.free()
      for (const [seq, entry] of held) {
        if (short <= 0) return false
        if (entry.lentTo.size > 0) continue
        if (clock.monotonic() - entry.sinceMs < waitMs(seq)) return true
        free(seq, entry)
        short--
      }
      return false
    },
    size: () => held.size,
  }
}
