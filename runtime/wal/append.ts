// Appends frames durably: group writes, rotation, and what to do when the disk refuses.
import { crc32 } from 'node:zlib'
import { MillraceError, saidOf, systemCode } from '../../protocol/errors.js'
import type { Position } from '../../protocol/positions.js'
import { type Clock, sleep } from '../clock.js'
import { type WalFile, type WalFiles, writeAll } from './files.js'
import {
  ENVELOPE_BYTES,
  encodeEnvelope,
  encodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  segmentSalt,
} from './layout.js'
import type { WalObserver } from './observer.js'
import type { PositionTable } from './position-table.js'
import { addPoint, createSegment, type Segment } from './segment.js'

/** An encoded frame and what its header says. */
export interface AppendFrame {
  readonly encoded: Uint8Array
  readonly madeMs: number
  readonly positions: readonly Position[]
}

/** What recovery found, and what appending goes on with. Shared with readers and deletion. */
export interface WalState {
  /** Ascending by first seq; the last is the one that grows (when `file` is open) or was. */
  readonly segments: Segment[]
  /** The seq that the next frame gets. */
  tailSeq: number
  readonly positions: PositionTable
}

export interface AppendOptions {
  readonly folder: string
  readonly segmentBytes: number
  readonly fsync: boolean
  readonly files: WalFiles
  readonly clock: Clock
  readonly observer: WalObserver
}

export interface Appender {
  /**
   * Resolves with the first frame's seq once all are durable. While the disk refuses it tries again for ever (200 ms → 5 s) and says
   * so; rejects with `journal.closed` only. One call at a time.
   */
  append(frames: readonly AppendFrame[]): Promise<number>
  /** The next append begins a new segment. */
  seal(): void
  /** Begins a new segment now, with all positions in it; a failure is reported, and the next append tries again. */
  renew(): Promise<void>
  close(): Promise<void>
}

const RETRY_FIRST_MS = 200
const RETRY_MAX_MS = 5000

export function createAppender(
  state: WalState,
  options: AppendOptions,
  opened: WalFile | undefined,
): Appender {
  const { files, clock, observer } = options
  const closing = new AbortController()
  let file = opened
  let sealed = false
  let rotatedFor = -1

  const report = (error: unknown, retryInMs?: number) => {
    const message = saidOf(error)
    observer.fault({
      code: systemCode(error) ?? 'unknown',
      message,
      ...(retryInMs === undefined ? {} : { retryInMs }),
    })
  }

  /** Leaves a segment whose tail can't be trusted. What lies behind its committed length is void: the next segment starts at that seq. */
  async function abandon(from: WalFile, goodBytes: number): Promise<void> {
    file = undefined
    await from.truncate(goodBytes).catch(report)
    await from.close().catch(report)
  }

  async function begin(): Promise<WalFile> {
    const firstSeq = state.tailSeq
    const previous = file
    file = undefined
    if (previous !== undefined) {
      if (!options.fsync) await previous.datasync().catch(report)
      await previous.close().catch(report)
    }
    if (rotatedFor !== firstSeq) state.positions.rotate()
    rotatedFor = firstSeq
    const snapshot = state.positions.encode()
    const segment = createSegment(
      options.folder,
      firstSeq,
      SEGMENT_HEADER_BYTES + snapshot.length,
      clock.now(),
    )
    const header = encodeSegmentHeader({
      firstSeq,
      madeMs: segment.madeMs,
      snapshotBytes: snapshot.length,
      snapshotCrc: crc32(snapshot),
    })
    const fresh = await createDurable(`${segment.path}.new`, segment.path, [header, snapshot])
    // A predecessor without any frame has the same name and was just replaced.
    if (state.segments.at(-1)?.firstSeq === firstSeq) state.segments.pop()
    state.segments.push(segment)
    sealed = false
    return fresh
  }

  async function createDurable(
    temporary: string,
    path: string,
    parts: readonly Uint8Array[],
  ): Promise<WalFile> {
    await files.remove(temporary).catch(() => undefined)
    const fresh = await files.open(temporary, 'create')
    try {
      await writeAll(fresh, parts, 0)
      await fresh.datasync()
      await files.rename(temporary, path)
      await files.syncFolder(options.folder)
      return fresh
    } catch (error) {
      await fresh.close().catch(report)
      await files.remove(temporary).catch(() => undefined)
      throw error
    }
  }

  async function attempt(frames: readonly AppendFrame[], bytes: number): Promise<Segment> {
    const last = state.segments.at(-1)
    const full =
      last === undefined || (last.bytes > last.dataOffset && last.bytes + bytes > options.segmentBytes)
    if (file === undefined || full || sealed) file = await begin()
    const segment = state.segments.at(-1) as Segment
    const active = file
    const salt = segmentSalt(segment.firstSeq)
    const parts = frames.flatMap((frame, n) => [encodeEnvelope(state.tailSeq + n, salt), frame.encoded])
    try {
      await writeAll(active, parts, segment.bytes)
    } catch (error) {
      // A torn piece must never come before later frames.
      await active.truncate(segment.bytes).catch(async (cause: unknown) => {
        report(cause)
        await abandon(active, segment.bytes)
      })
      throw error
    }
    if (!options.fsync) return segment
    try {
      await active.datasync()
    } catch (error) {
      // After a failed fsync the kernel may have dropped the pages and call them clean: only a new file says the truth.
      await abandon(active, segment.bytes)
      throw error
    }
    return segment
  }

  function commit(segment: Segment, frames: readonly AppendFrame[]): number {
    const first = state.tailSeq
    for (const frame of frames) {
      addPoint(segment, { seq: state.tailSeq, offset: segment.bytes, madeMs: frame.madeMs })
      segment.bytes += ENVELOPE_BYTES + frame.encoded.length
      state.tailSeq++
      state.positions.apply(frame.positions)
    }
    return first
  }

  async function append(frames: readonly AppendFrame[]): Promise<number> {
    const bytes = frames.reduce((sum, frame) => sum + ENVELOPE_BYTES + frame.encoded.length, 0)
    for (let retryMs = RETRY_FIRST_MS; ; retryMs = Math.min(RETRY_MAX_MS, retryMs * 2)) {
      if (closing.signal.aborted) throw new MillraceError('journal.closed', 'the journal is closed')
      try {
        const startedMs = clock.monotonic()
        const segment = await attempt(frames, bytes)
        observer.committed(bytes, clock.monotonic() - startedMs)
        if (retryMs > RETRY_FIRST_MS) observer.healed()
        return commit(segment, frames)
      } catch (error) {
        report(error, retryMs)
        await sleep(clock, retryMs, closing.signal)
      }
    }
  }

  return {
    append,
    async renew() {
      try {
        file = await begin()
      } catch (error) {
        sealed = true
        report(error)
      }
    },
    seal() {
      const last = state.segments.at(-1)
      sealed = last !== undefined && last.bytes > last.dataOffset
    },
    async close() {
      closing.abort()
      const last = file
      file = undefined
      await last?.close().catch(report)
    },
  }
}
