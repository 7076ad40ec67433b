// Brings the journal's state back from its folder after any end: segments, tail, positions, cursors.
import { join } from 'node:path'
import { decodeFrameHeader, FRAME_PREFIX_BYTES, readFramePrefix } from '../../protocol/frame.js'
import type { FrameHeader } from '../../protocol/frame.js'
import type { WalState } from './append.js'
import { type LoadedCursor, loadCursors } from './cursor.js'
import type { WalFile, WalFiles } from './files.js'
import { segmentSalt, segmentSeq } from './layout.js'
import type { WalObserver } from './observer.js'
import { createPositionTable, type PositionTable } from './position-table.js'
import { createScanner, type VerifyFrame } from './scan.js'
import { addPoint, type ReadSegment, readSegment, type Segment, withFile } from './segment.js'

export interface Recovered {
  readonly state: WalState
  /** The last segment, open for appending; undefined when the next append has to begin a new one. */
  readonly file: WalFile | undefined
  readonly cursors: readonly LoadedCursor[]
  /** False: the newest segment's own snapshot can't be read, and the positions came from older segments, which must stay until a newer one has them. */
  readonly snapshotSound: boolean
}

export interface RecoverOptions {
  readonly folder: string
  readonly files: WalFiles
  readonly verify: VerifyFrame
  readonly observer: WalObserver
}

/** The header of a verified frame (bytes from its magic on). Throws `frame.header`. */
export function headerOf(frame: Uint8Array): FrameHeader {
  const prefix = readFramePrefix(new DataView(frame.buffer, frame.byteOffset, FRAME_PREFIX_BYTES), 0)
  const end = FRAME_PREFIX_BYTES + (prefix?.headerBytes ?? 0)
  // A copy: what is decoded may point into it, and the frame's memory is used again.
  return decodeFrameHeader(new Uint8Array(frame.subarray(FRAME_PREFIX_BYTES, end)))
}

/**
 * Older segments are only opened; the newest ones are read and verified from the last one with a sound positions snapshot on, so a start
 * takes the time of one segment however long the journal is. What is corrupt in older segments is found when it is read.
 */
export async function recover(options: RecoverOptions): Promise<Recovered> {
  const { folder, files } = options
  await files.makeFolder(folder)
  const names = await files.list(folder)
  for (const name of names) if (name.endsWith('.new')) await files.remove(join(folder, name))
  const firstSeqs = names.flatMap((name) => segmentSeq(name) ?? []).sort((a, b) => a - b)
  const positions = createPositionTable()
  const segments = await openSegments(options, firstSeqs, positions)
  const cursors = await loadCursors(files, folder)
  for (const { backend, corrupt } of cursors) {
    if (corrupt) report(options, 'cursor', join(folder, `${backend}.cursor`))
  }
  const scanned = await scanNewest(options, segments, positions)
  const tail = scanned.at(-1)?.endSeq ?? 0
  // A disk that forgot committed frames must not make their seqs be used again: a backend's cursor says they are done.
  const tailSeq = Math.max(tail, ...cursors.map(({ done }) => done.at(-1)?.[1] ?? 0))
  const file = await openTail(options, scanned.at(-1), tailSeq)
  const state = { segments: segments.map(({ segment }) => segment), tailSeq, positions }
  return { state, file, cursors, snapshotSound: segments.at(-1)?.sound ?? true }
}

function report(
  options: RecoverOptions,
  kind: 'segment_header' | 'positions' | 'cursor',
  path: string,
): void {
  options.observer.corrupt({ kind, path, offset: 0, bytes: 0, frames: 0 })
}

interface Opened extends ReadSegment {
  /** Whether frames from here on must be applied to the positions. */
  readonly scan: boolean
  /** Header and snapshot are whole; known of those that are scanned. */
  readonly sound: boolean
}

async function openSegments(
  options: RecoverOptions,
  firstSeqs: readonly number[],
  positions: PositionTable,
): Promise<Opened[]> {
  const opened: Opened[] = []
  let needed = true
  for (const firstSeq of [...firstSeqs].reverse()) {
    const path = join(options.folder, `${firstSeq.toString(16).padStart(16, '0')}.seg`)
    const scan = needed
    const read = await withFile(options.files, path, 'read', (file) =>
      readSegment(file, options.folder, firstSeq, scan),
    )
    if (!read.headerSound) report(options, 'segment_header', path)
    else if (scan && !positions.load(read.snapshot)) report(options, 'positions', path)
    else if (scan) needed = false
    opened.unshift({ ...read, scan, sound: !needed })
  }
  return opened
}

interface Scanned {
  readonly segment: Segment
  readonly headerSound: boolean
  /** One past the last whole frame. */
  readonly endSeq: number
  /** Bytes behind the last whole frame. */
  readonly tornBytes: number
}

async function scanNewest(
  options: RecoverOptions,
  opened: readonly Opened[],
  positions: PositionTable,
): Promise<Scanned[]> {
  const scanned: Scanned[] = []
  for (const [n, { segment, scan, headerSound }] of opened.entries()) {
    if (!scan) continue
    const before = opened[n + 1]?.segment.firstSeq
    const found = await withFile(options.files, segment.path, 'read', (file) =>
      scanSegment(options, file, segment, before, positions),
    )
    scanned.push({ segment, headerSound, ...found })
  }
  return scanned
}

async function scanSegment(
  options: RecoverOptions,
  file: WalFile,
  segment: Segment,
  nextFirstSeq: number | undefined,
  positions: PositionTable,
): Promise<{ endSeq: number; tornBytes: number }> {
  const { observer } = options
  const start = {
    offset: segment.dataOffset,
    lastSeq: segment.firstSeq - 1,
    salt: segmentSalt(segment.firstSeq),
  }
  const scanner = createScanner(file, start, options.verify)
  let endSeq = segment.firstSeq
  for (;;) {
    const entry = await scanner.next(segment.bytes, nextFirstSeq ?? Number.MAX_SAFE_INTEGER)
    if (entry.kind === 'end') return { endSeq, tornBytes: entry.bytes }
    if (entry.kind === 'lost') {
      const { fromSeq, toSeq, offset, bytes, records, id } = entry
      const known = { ...(records === undefined ? {} : { records }), ...(id === undefined ? {} : { id }) }
      // Cut out by a repair: reported when that was done.
      if (bytes > 0)
        observer.corrupt({
          kind: 'frame',
          path: segment.path,
          offset,
          bytes,
          frames: toSeq - fromSeq,
          ...known,
        })
      continue
    }
    if (entry.kind === 'repaired') {
      observer.corrupt({
        kind: 'envelope',
        path: segment.path,
        offset: entry.offset,
        bytes: entry.bytes,
        frames: 0,
      })
    }
    const header = headerOf(entry.frame)
    addPoint(segment, { seq: entry.seq, offset: entry.offset, madeMs: header.madeMs })
    positions.apply(header.positions)
    endSeq = entry.seq + 1
  }
}

/** Cuts a torn tail off and opens the last segment, if its seqs go on without a hole and its header is sound. */
async function openTail(
  options: RecoverOptions,
  last: Scanned | undefined,
  tailSeq: number,
): Promise<WalFile | undefined> {
  if (last === undefined) return undefined
  const { segment, tornBytes, headerSound, endSeq } = last
  const end = segment.bytes - tornBytes
  if (tornBytes > 0) {
    options.observer.corrupt({
      // A backend has acknowledged what was here: it was whole once.
      kind: endSeq < tailSeq ? 'frame' : 'torn_tail',
      path: segment.path,
      offset: end,
      bytes: tornBytes,
      frames: tailSeq - endSeq,
    })
  }
  segment.bytes = end
  if (!headerSound || endSeq !== tailSeq) return undefined
  const file = await options.files.open(segment.path, 'write')
  try {
    if (tornBytes > 0) {
      await file.truncate(end)
      await file.datasync()
    }
    return file
  } catch (error) {
    options.observer.fault({
      code: 'unknown',
      message: `cutting the torn tail of ${segment.path}: ${String(error)}`,
    })
    await file.close()
    return undefined
  }
}
