// How the journal lies on disk: names of files, the header of a segment, the envelope before each frame.
import { crc32 } from 'node:zlib'

/*
 * <data_dir>/journal/
 *   LOCK                      who runs on this folder (lock.ts)
 *   <16 hex digits>.seg       segment; the digits are the seq of its first frame
 *   <backend>.cursor          which seqs a backend has (cursor.ts)
 *   *.new                     being written; removed by the next start
 *
 * Segment: header (40 bytes), positions snapshot, then entries back to back. Little endian.
 *   header    0 u32 "MRJ1"  4 u32 version 1  8 u64 first seq  16 u64 made, ms  24 u32 bytes of the snapshot
 *             28 u32 crc32 of the snapshot  32 u32 frames a repair knows to be missing behind its last one  36 u32 crc32 over [0, 36)
 *   entry     envelope (16 bytes): 0 u32 "\xabMRE"  4 u32 crc32 over [8, 16) seeded with the segment's salt  8 u64 seq;
 *             then the frame ("MRF1", protocol/frame.ts)
 * The envelope carries the seq so that a frame keeps its number when frames before it are unreadable. Its magic begins with a byte
 * that no record text contains (records are UTF-8), and the salt differs by segment, so bytes inside a frame are not taken for one.
 * Entries whose seq is not below the first seq of the next segment are void: they were written again there after a failed fsync.
 */
export const SEGMENT_MAGIC = 0x314a524d
const SEGMENT_VERSION = 1
export const SEGMENT_HEADER_BYTES = 40
export const ENVELOPE_MAGIC = 0x45524dab
export const ENVELOPE_MAGIC_BYTES = new Uint8Array([0xab, 0x4d, 0x52, 0x45])
export const ENVELOPE_BYTES = 16
/** A snapshot larger than this is taken for corruption. */
export const SNAPSHOT_BYTES_MAX = 256 * 1024 * 1024

const SEGMENT_NAME = /^([0-9a-f]{16})\.seg$/
const CURSOR_NAME = /^(.+)\.cursor$/

export function segmentName(firstSeq: number): string {
  return `${firstSeq.toString(16).padStart(16, '0')}.seg`
}

/** The first seq in a segment's name; undefined when it is not one's name. */
export function segmentSeq(name: string): number | undefined {
  const seq = Number.parseInt(SEGMENT_NAME.exec(name)?.[1] ?? '', 16)
  return Number.isSafeInteger(seq) ? seq : undefined
}

export function cursorName(backend: string): string {
  return `${backend}.cursor`
}

export function cursorBackend(name: string): string | undefined {
  return CURSOR_NAME.exec(name)?.[1]
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 0x1_0000_0000, true)
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true)
}

function getU64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000
}

export interface SegmentHeader {
  readonly firstSeq: number
  readonly madeMs: number
  readonly snapshotBytes: number
  readonly snapshotCrc: number
  /** Frames that are missing between its last one and the next segment, as a repair has told; 0 when it is left out. */
  readonly missing?: number
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES)
  const view = viewOf(bytes)
  view.setUint32(0, SEGMENT_MAGIC, true)
  view.setUint32(4, SEGMENT_VERSION, true)
  setU64(view, 8, header.firstSeq)
  setU64(view, 16, Math.max(0, Math.floor(header.madeMs)))
  view.setUint32(24, header.snapshotBytes, true)
  view.setUint32(28, header.snapshotCrc, true)
  view.setUint32(32, header.missing ?? 0, true)
  view.setUint32(36, crc32(bytes.subarray(0, 36)), true)
  return bytes
}

/** Undefined when the bytes are not a segment header of this version, or the checksum is wrong. */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES) return undefined
  const view = viewOf(bytes)
  if (view.getUint32(0, true) !== SEGMENT_MAGIC || view.getUint32(4, true) !== SEGMENT_VERSION)
    return undefined
  if (view.getUint32(36, true) !== crc32(bytes.subarray(0, 36))) return undefined
  const snapshotBytes = view.getUint32(24, true)
  if (snapshotBytes > SNAPSHOT_BYTES_MAX) return undefined
  return {
    firstSeq: getU64(view, 8),
    madeMs: getU64(view, 16),
    snapshotBytes,
    snapshotCrc: view.getUint32(28, true),
    missing: view.getUint32(32, true),
  }
}

/** Seeds the envelopes of a segment; from its name, so that a broken header does not make its frames unreadable. */
export function segmentSalt(firstSeq: number): number {
  return crc32(segmentName(firstSeq))
}

export function encodeEnvelope(seq: number, salt: number): Uint8Array {
  const bytes = new Uint8Array(ENVELOPE_BYTES)
  const view = viewOf(bytes)
  view.setUint32(0, ENVELOPE_MAGIC, true)
  setU64(view, 8, seq)
  view.setUint32(4, crc32(bytes.subarray(8), salt), true)
  return bytes
}

/** The seq of the envelope at `at`; undefined when there is none. */
export function decodeEnvelope(bytes: Uint8Array, at: number, salt: number): number | undefined {
  if (at + ENVELOPE_BYTES > bytes.length) return undefined
  const view = viewOf(bytes)
  if (view.getUint32(at, true) !== ENVELOPE_MAGIC) return undefined
  if (view.getUint32(at + 4, true) !== crc32(bytes.subarray(at + 8, at + ENVELOPE_BYTES), salt))
    return undefined
  const seq = getU64(view, at + 8)
  return Number.isSafeInteger(seq) ? seq : undefined
}
