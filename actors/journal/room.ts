// The bound of the journal on disk: what may be deleted so that the next frames fit, and what that costs whom.
import type { SeqSet } from '../../runtime/wal/seq-set.js'
import type { Wal } from '../../runtime/wal/wal.js'
import type { Feed } from './feed.js'

export interface RoomOptions {
  readonly wal: Wal
  readonly atBound: 'block' | 'release' | 'drop_oldest'
  readonly feeds: ReadonlyMap<string, Feed>
  readonly done: ReadonlyMap<string, SeqSet>
  /** Backends whose records can be copied back later, from any other that has them. */
  readonly mendable: ReadonlySet<string>
  /** Resolves with true once the audit has all frames of [from, to) durably in its queue; false: it can not take them now. */
  handOver(from: number, to: number): Promise<boolean>
  givenUp(backend: string, frames: number, records: number): void
  /** Segments were deleted, whoever still wanted them. */
  trimmed(): void
}

/** Gives the oldest closed segment up, for the backends that had not got all of it. */
async function dropOldest(options: RoomOptions): Promise<void> {
  const { wal, feeds, done } = options
  const range = wal.oldestClosed()
  if (range === undefined) return
  const records = await wal.countRecords(range)
  for (const [backend, feed] of feeds) {
    // What is in a writer's hands is not lost yet: its acknowledgement still counts.
    const seqs = feed.undelivered(range[0], range[1])
    for (const seq of seqs) done.get(backend)?.add(seq)
    const lost = seqs.reduce((sum, seq) => sum + (records.get(seq) ?? 0), 0)
    if (seqs.length > 0) options.givenUp(backend, seqs.length, lost)
  }
  await wal.trim(range[1])
  options.trimmed()
}

/** Whatever a backend lacks of these, another has. */
function isCovered({ done, mendable }: RoomOptions, from: number, to: number): boolean {
  const cursors = [...done]
  for (let seq = from; seq < to; seq++) {
    const lacking = cursors.filter(([, set]) => !set.has(seq))
    if (lacking.length === cursors.length || lacking.some(([backend]) => !mendable.has(backend))) return false
  }
  return true
}

/**
 * Called when the next frame does not fit. True: look again, or append even so. False: it has to wait for a backend. A node of which
 * nothing stored is needed any more never waits: the growing segment is closed, and deleted once the next has begun.
 */
export async function makeRoom(options: RoomOptions): Promise<boolean> {
  const { wal, feeds } = options
  const passed = Math.min(wal.tailSeq(), ...[...feeds.values()].map((feed) => feed.oldestUndone()))
  const before = wal.bytes()
  // Sources never wait for the audit: what it wanted held goes, counted.
  await wal.trim(passed)
  options.trimmed()
  if (wal.bytes() < before) return true
  if (passed === wal.tailSeq()) {
    wal.seal()
    return true
  }
  if (options.atBound === 'block') return false
  if (wal.oldestClosed() === undefined) {
    wal.seal()
    return true
  }
  if (options.atBound === 'release') {
    const [from, to] = wal.oldestClosed() ?? [0, 0]
    if (!isCovered(options, from, to) || !(await options.handOver(from, to))) return false
  }
  await dropOldest(options)
  return wal.bytes() < before
}
