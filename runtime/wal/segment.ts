// One segment of the journal: where its entries begin, how far it is committed, and a sparse index from seq to file offset.
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { type WalFile, type WalFiles } from './files.js'
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, segmentName } from './layout.js'

/** An entry that begins at `offset`; `madeMs` is when its frame was made. */
export interface IndexPoint {
  readonly seq: number
  readonly offset: number
  readonly madeMs: number
}

export interface Segment {
  readonly firstSeq: number
  readonly path: string
  /** Where the first entry begins. */
  readonly dataOffset: number
  readonly madeMs: number
  /** Committed length; nothing behind it is ever read. */
  bytes: number
  /** Ascending; not every entry has one. */
  readonly points: IndexPoint[]
}

/** A point every so many bytes or ms: the longest way a reader walks, and the error of a lag in seconds. */
const POINT_BYTES = 256 * 1024
const POINT_MS = 1000

export function createSegment(folder: string, firstSeq: number, dataOffset: number, madeMs: number): Segment {
  return {
    firstSeq,
    path: join(folder, segmentName(firstSeq)),
    dataOffset,
    madeMs,
    bytes: dataOffset,
    points: [],
  }
}

/** Remembers an entry where the index is thin; entries come in ascending order. */
export function addPoint(segment: Segment, point: IndexPoint): void {
  const last = segment.points.at(-1)
  if (last !== undefined && point.offset <= last.offset) return
  const near =
    last !== undefined && point.offset - last.offset < POINT_BYTES && point.madeMs - last.madeMs < POINT_MS
  if (!near) segment.points.push(point)
}

/** The last indexed entry at or before `seq`; undefined when the walk begins at the segment's first entry. */
export function pointBefore(segment: Segment, seq: number): IndexPoint | undefined {
  let low = 0
  let high = segment.points.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((segment.points[middle] as IndexPoint).seq <= seq) low = middle + 1
    else high = middle
  }
  return segment.points[low - 1]
}

export interface ReadSegment {
  readonly segment: Segment
  /** Undefined when the header or the snapshot is broken. */
  readonly snapshot: Uint8Array | undefined
  readonly headerSound: boolean
  /** Frames behind its last one that a repair has told to be missing. */
  readonly missing: number
}

/**
 * Reads header and (when asked for) positions snapshot. A segment with a broken header is still readable: its first seq is in its name,
 * and its entries are found by searching.
 */
export async function readSegment(
  file: WalFile,
  folder: string,
  firstSeq: number,
  withSnapshot: boolean,
): Promise<ReadSegment> {
  const size = await file.size()
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES)
  const got = await file.read(bytes, 0).catch(() => 0)
  const header = decodeSegmentHeader(bytes.subarray(0, got))
  if (
    header === undefined ||
    header.firstSeq !== firstSeq ||
    SEGMENT_HEADER_BYTES + header.snapshotBytes > size
  ) {
    const segment = createSegment(folder, firstSeq, Math.min(size, SEGMENT_HEADER_BYTES), 0)
    segment.bytes = size
    return { segment, snapshot: undefined, headerSound: false, missing: 0 }
  }
  const { madeMs, missing = 0 } = header
  const segment = createSegment(folder, firstSeq, SEGMENT_HEADER_BYTES + header.snapshotBytes, madeMs)
  segment.bytes = size
  if (!withSnapshot) return { segment, snapshot: undefined, headerSound: true, missing }
  const snapshot = new Uint8Array(header.snapshotBytes)
  const read = await file.read(snapshot, SEGMENT_HEADER_BYTES).catch(() => 0)
  const sound = read === snapshot.length && crc32(snapshot) === header.snapshotCrc
  return { segment, snapshot: sound ? snapshot : undefined, headerSound: true, missing }
}

/** The segment that holds `seq`, of a list in ascending order; undefined when `seq` lies before all of them. */
export function segmentOf(segments: readonly Segment[], seq: number): number {
  let low = 0
  let high = segments.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((segments[middle] as Segment).firstSeq <= seq) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** Opens for the time of `use`. */
export async function withFile<T>(
  files: WalFiles,
  path: string,
  how: 'read' | 'write',
  use: (file: WalFile) => Promise<T>,
): Promise<T> {
  const file = await files.open(path, how)
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}
