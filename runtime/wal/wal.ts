// The journal's storage as one thing: opened (and recovered) from a folder, appended to, read back, trimmed.
import { join } from 'node:path'
import type { Position } from '../../protocol/positions.js'
import { type AppendFrame, type AppendOptions, createAppender } from './append.js'
import { type Cursor, type LoadedCursor, saveCursor } from './cursor.js'
import { cursorName, segmentSalt } from './layout.js'
import type { CorruptPlace, WalObserver } from './observer.js'
import { createReader, type FrameReader } from './read.js'
import { headerOf, recover } from './recover.js'
import { createScanner, type VerifyFrame } from './scan.js'
import { pointBefore, segmentOf, withFile } from './segment.js'
import type { SeqRange } from './seq-set.js'

export interface WalOptions extends AppendOptions {
  readonly verify: VerifyFrame
}

export interface Wal {
  /** The seq that the next frame gets: one past the newest. */
  tailSeq(): number
  /** The oldest seq that is still stored; the tail when none is. */
  oldestSeq(): number
  /** On disk, headers included. */
  bytes(): number
  segments(): number
  /** Of the segments that hold only seqs below `seq`. */
  bytesBelow(seq: number): number
  /** As found at the start. */
  readonly cursors: readonly LoadedCursor[]
  /** See Appender.append: resolves when durable, rejects with `journal.closed` only. One call at a time. */
  append(frames: readonly AppendFrame[]): Promise<number>
  /** The newest position of each file of a source, of committed frames only. */
  positions(source: string): Position[]
  /** See PositionTable: positions of finished files whose files may be gone, and what was found. */
  stalePositions(): Position[]
  settlePosition(position: Position, exists: boolean): void
  reader(): FrameReader
  /** When the frame was made, or an indexed one a little before it; undefined when not known. */
  madeMs(seq: number): number | undefined
  /** The next append begins a new segment, so that the present one can be deleted. */
  seal(): void
  /** Deletes the closed segments that hold only seqs below `seq`. Failures are reported, and tried again by the next call. */
  trim(seq: number): Promise<void>
  /** The seqs of the oldest closed segment; undefined when there is none but the growing one. */
  oldestClosed(): SeqRange | undefined
  /** Records of each frame of [from, to) that can be read. */
  countRecords(range: SeqRange): Promise<Map<number, number>>
  /** Durable when it resolves. One call at a time. */
  saveCursors(cursors: ReadonlyMap<string, Cursor>): Promise<void>
  removeCursor(backend: string): Promise<void>
  close(): Promise<void>
}

const PLACES_MAX = 10_000

/** Both lanes of every backend meet the same corrupt place: it is told once. */
function tellOnce(observer: WalObserver): WalObserver {
  const told = new Set<string>()
  return {
    ...observer,
    corrupt(place: CorruptPlace) {
      const key = `${place.kind} ${place.path} ${place.offset}`
      if (told.has(key)) return
      if (told.size < PLACES_MAX) told.add(key)
      observer.corrupt(place)
    },
  }
}

/** Opens and recovers `folder`. The folder's lock is the caller's. Rejects with the system's error when the folder can't be read. */
export async function openWal(given: WalOptions): Promise<Wal> {
  const options = { ...given, observer: tellOnce(given.observer) }
  const { files, folder } = options
  const { state, file, cursors, snapshotSound } = await recover(options)
  const appender = createAppender(state, options, file)
  const { segments } = state
  // Positions that lie in older segments only would go with them: first a new segment takes them over.
  const unsound = snapshotSound ? undefined : segments.at(-1)
  if (unsound !== undefined) await appender.renew()
  let trimming: Promise<void> = Promise.resolve()

  async function removeOldest(): Promise<void> {
    const oldest = segments[0]
    if (oldest === undefined) return
    await files.remove(oldest.path).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    })
    segments.shift()
    await files.syncFolder(folder)
  }

  async function trim(seq: number): Promise<void> {
    if (unsound !== undefined && segments.at(-1) === unsound) return
    try {
      while (segments.length > 1 && (segments[1]?.firstSeq ?? Number.POSITIVE_INFINITY) <= seq)
        await removeOldest()
    } catch (error) {
      options.observer.fault({
        code: 'unknown',
        message: `deleting a segment of ${folder}: ${String(error)}`,
      })
    }
  }

  async function countRecords([from, to]: SeqRange): Promise<Map<number, number>> {
    const counts = new Map<number, number>()
    const segment = segments[segmentOf(segments, from)]
    if (segment === undefined) return counts
    await withFile(files, segment.path, 'read', async (opened) => {
      const start = {
        offset: segment.dataOffset,
        lastSeq: segment.firstSeq - 1,
        salt: segmentSalt(segment.firstSeq),
      }
      const scanner = createScanner(opened, start, options.verify)
      for (;;) {
        const entry = await scanner.next(segment.bytes, to)
        if (entry.kind === 'end') return
        if (entry.kind !== 'lost') counts.set(entry.seq, headerOf(entry.frame).count)
      }
    }).catch((error: unknown) => {
      options.observer.fault({
        code: 'unknown',
        message: `counting the records of ${segment.path}: ${String(error)}`,
      })
    })
    return counts
  }

  return {
    cursors,
    tailSeq: () => state.tailSeq,
    oldestSeq: () => segments[0]?.firstSeq ?? state.tailSeq,
    bytes: () => segments.reduce((sum, segment) => sum + segment.bytes, 0),
    segments: () => segments.length,
    bytesBelow(seq) {
      let bytes = 0
      for (let n = 0; (segments[n + 1]?.firstSeq ?? Number.POSITIVE_INFINITY) <= seq; n++)
        bytes += segments[n]?.bytes ?? 0
      return bytes
    },
    append: (frames) => appender.append(frames),
    positions: (source) => state.positions.of(source),
    stalePositions: () => state.positions.stale(),
    settlePosition: (position, exists) => state.positions.settle(position, exists),
    reader: () => createReader(state, options),
    madeMs(seq) {
      const segment = segments[segmentOf(segments, seq)]
      if (segment === undefined) return undefined
      return pointBefore(segment, seq)?.madeMs ?? (segment.madeMs > 0 ? segment.madeMs : undefined)
    },
    seal: () => appender.seal(),
    trim: (seq) => (trimming = trimming.then(() => trim(seq))),
    oldestClosed() {
      const [oldest, next] = segments
      return oldest === undefined || next === undefined ? undefined : [oldest.firstSeq, next.firstSeq]
    },
    countRecords,
    async saveCursors(saved) {
      for (const [backend, cursor] of saved) await saveCursor(files, folder, backend, cursor)
      if (saved.size > 0) await files.syncFolder(folder)
    },
    removeCursor: (backend) => files.remove(join(folder, cursorName(backend))),
    async close() {
      await appender.close()
      await trimming
    },
  }
}
