// Committed frames whose slots are still held: lent to caught-up writers, given back as soon as none needs them or memory is short.
import type { Slots } from '../../runtime/slots.js'

export interface HotFrame {
  readonly seq: number
  readonly slot: number
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
   * Frees the slots of frames that no writer copies and none waits for; while fewer than a quarter of all slots are free, the oldest
   * that are waited for as well (their readers go to the disk).
   */
  sweep(waitedFor: (seq: number) => boolean): void
  size(): number
}

interface Held {
  readonly frame: HotFrame
  readonly lentTo: Set<string>
}

export function createHotFrames(slots: Slots): HotFrames {
  /** In the order of seqs: insertion order is commit order. Never larger than the number of slots. */
  const held = new Map<number, Held>()
  const freeWanted = Math.ceil(slots.options.count / 4)

  function free(seq: number, entry: Held): void {
    held.delete(seq)
    slots.release(entry.frame.slot)
  }

  return {
    add: (frame) => void held.set(frame.seq, { frame, lentTo: new Set() }),
    get: (seq) => held.get(seq)?.frame,
    lend: (seq, writer) => void held.get(seq)?.lentTo.add(writer),
    giveBack: (seq, writer) => void held.get(seq)?.lentTo.delete(writer),
    giveBackAll(writer) {
      for (const { lentTo } of held.values()) lentTo.delete(writer)
    },
    sweep(waitedFor) {
      for (const [seq, entry] of held) if (entry.lentTo.size === 0 && !waitedFor(seq)) free(seq, entry)
      let short = freeWanted - slots.free()
      for (const [seq, entry] of held) {
        if (short <= 0) return
        if (entry.lentTo.size > 0) continue
        free(seq, entry)
        short--
      }
    },
    size: () => held.size,
  }
}
