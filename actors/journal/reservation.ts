// Which frames a writer may have been sent: reserved on disk block by block before the first of a block is handed out.
import { createSeqSet, type SeqRange, type SeqSet } from '../../runtime/wal/seq-set.js'

/*
 * What a writer acknowledges reaches its cursor on disk a moment later, and what is in flight at a crash was never acknowledged: both
 * come again. A backend that finds the copies by itself (ids) does not care; one that does not has to be asked first, so it must
 * be told which frames those are: every undone frame in a reserved block.
 */
export interface Reservation {
  /** Reserves where delivering will begin, with the next save. */
  prepare(): void
  /** Whether this frame may be handed out now; else its block is being reserved, and `ready` follows. */
  admits(seq: number): boolean
  /** Has perhaps been sent already: by a node that ended without saying so, or by a writer that is gone. */
  isSuspect(seq: number): boolean
  /** It was in the hands of a writer that is gone. */
  orphaned(seq: number): void
  /** What a save has to write. */
  ranges(): SeqRange[]
  /** These ranges are on disk. */
  saved(ranges: readonly SeqRange[]): void
  /** Saving failed: delivering goes on without, since a copy after a crash is better than a journal that fills up. */
  saveFailed(): void
}

export interface ReservationOptions {
  /** As loaded; undefined when the cursor is missing, unreadable or from before reservations: then everything undone is suspect. */
  readonly loaded: readonly SeqRange[] | undefined
  readonly tailSeq: number
  readonly done: SeqSet
  /** Has to save at once. */
  save(): void
  /** More may be handed out. */
  ready(): void
}

/** A crash makes at most so many frames suspect that were never sent, per place of delivery (live, backfill). */
const BLOCK = 64
/** The next block is reserved while so many of the present one are left, so that nobody waits for the disk. */
const AHEAD = BLOCK / 2

export function createReservation(options: ReservationOptions): Reservation {
  const { loaded, tailSeq, done } = options
  // Seqs from the tail on are frames of this life: not sent before, even where a block reaches over the tail.
  const before = loaded ?? [[0, tailSeq] as const]
  const suspects = createSeqSet(before.map(([from, to]) => [from, Math.min(to, tailSeq)] as const))
  const wanted = createSeqSet(before)
  const durable = createSeqSet(before)

  function addBlock(seq: number): void {
    const from = seq - (seq % BLOCK)
    wanted.add(from, from + BLOCK)
  }

  function want(seq: number): void {
    addBlock(seq)
    options.save()
  }

  return {
    prepare() {
      addBlock(tailSeq)
      addBlock(Math.min(done.nextMissing(0), tailSeq))
    },
    admits(seq) {
      if (!wanted.has(seq)) want(seq)
      else if (!wanted.has(seq + AHEAD)) want(seq + AHEAD)
      return durable.has(seq)
    },
    isSuspect: (seq) => suspects.has(seq),
    orphaned: (seq) => suspects.add(seq),
    ranges() {
      // What is done is not asked about: merging it keeps the list short.
      wanted.add(0, done.nextMissing(0))
      return wanted.ranges()
    },
    saved(ranges) {
      for (const [from, to] of ranges) durable.add(from, to)
      options.ready()
    },
    saveFailed() {
      for (const [from, to] of wanted.ranges()) durable.add(from, to)
      options.ready()
    },
  }
}
