// The frame: one batch of canonical records with its index and the source positions it covers, as bytes on disk and on the wire.
import { Packr, Unpackr } from 'msgpackr/pack'
import type { Position } from './positions.js'
import { MillraceError } from './errors.js'

/** "MRF1", little endian. */
export const FRAME_MAGIC = 0x3146524d
/** Bytes before the msgpack header: magic, total length, crc32c, header length, raw length. */
export const FRAME_PREFIX_BYTES = 20
/** The checksum covers everything from here to the frame's end. */
export const FRAME_CRC_FROM = 12
/** Bytes of one index entry: tsNs i64, offset u32, length u32, stream u32, weight f32, traceOffset u32, traceLength u32. */
export const INDEX_ENTRY_BYTES = 32
/**
 * No frame is larger than this, encoded or raw; a longer length read from disk is corruption. It holds what the largest
 * `records.frame_bytes` and `records.line_bytes_max` come to when each character of a line has to be escaped.
 */
export const FRAME_BYTES_MAX = 12 * 1024 * 1024

export const CODEC_RAW = 0
export const CODEC_SNAPPY = 1

/** What all records of a stream share: candidates for Loki labels and for routing. All values are plain text. */
export interface StreamFields {
  readonly service_name: string
  readonly namespace: string
  readonly cluster_id: string
  /** TRACE DEBUG INFO WARN ERROR FATAL or "unknown". */
  readonly log_level: string
  readonly log_type: string
  readonly pod_uid?: string
  readonly pod_name?: string
  readonly container_name?: string
  readonly node_name?: string
  /** Kubernetes labels from the allow-list, or labels that a source's config states. */
  readonly labels?: Readonly<Record<string, string>>
}

export interface FrameHeader {
  readonly v: 1
  /** nanoid(21), made once when the frame is sealed; record n has the id `<id>-<n>`. */
  readonly id: string
  readonly node: string
  readonly madeMs: number
  readonly count: number
  readonly codec: typeof CODEC_RAW | typeof CODEC_SNAPPY
  readonly ndjsonBytes: number
  readonly streams: readonly StreamFields[]
  readonly positions: readonly Position[]
  /** Oldest and newest record timestamp, ms since the epoch; 0 when count is 0. */
  readonly minTsMs: number
  readonly maxTsMs: number
}

const packr = new Packr({ useRecords: false, variableMapSize: true })
const unpackr = new Unpackr({ useRecords: false })

/** Streams live for many frames: each is packed once. */
const packedStreams = new WeakMap<StreamFields, Uint8Array>()
const STREAMS_KEY = packr.pack('streams')
/** msgpack (https://github.com/msgpack/msgpack/blob/master/spec.md): a map of up to 15 pairs, arrays of up to 2^16 and 2^32. */
const FIXMAP = 0x80
const ARRAY_16 = 0xdc
const ARRAY_32 = 0xdd

export function encodeFrameHeader({ streams, ...rest }: FrameHeader): Uint8Array {
  const fields = packr.pack(rest)
  const pieces: Uint8Array[] = [fields, STREAMS_KEY, arrayHead(streams.length)]
  for (const stream of streams) {
    // A copy of its own: pack() returns a view of a pooled buffer.
    const packed = packedStreams.get(stream) ?? new Uint8Array(packr.pack(stream))
    packedStreams.set(stream, packed)
    pieces.push(packed)
  }
  const header = Buffer.concat(pieces)
  header[0] = FIXMAP | (Object.keys(rest).length + 1)
  return header
}

function arrayHead(length: number): Uint8Array {
  const head = Buffer.alloc(length < 0x10000 ? 3 : 5)
  head[0] = length < 0x10000 ? ARRAY_16 : ARRAY_32
  if (length < 0x10000) head.writeUInt16BE(length, 1)
  else head.writeUInt32BE(length, 1)
  return head
}

/** Decodes header bytes. Throws `frame.header` when they are not a frame header. */
export function decodeFrameHeader(bytes: Uint8Array): FrameHeader {
  let value: unknown
  try {
    value = unpackr.unpack(bytes)
  } catch (cause) {
    throw new MillraceError('frame.header', `frame header of ${bytes.length} bytes is not msgpack`, { cause })
  }
  const header = value as Partial<FrameHeader> | null
  if (header === null || typeof header !== 'object' || header.v !== 1 || typeof header.id !== 'string') {
    throw new MillraceError('frame.header', 'frame header has no version 1 or no id')
  }
  return header as FrameHeader
}

export interface FramePrefix {
  readonly totalBytes: number
  readonly crc: number
  readonly headerBytes: number
  readonly rawBytes: number
}

/** Writes the 20 bytes before the header. The crc is computed last, by the caller, over [FRAME_CRC_FROM, total). */
export function writeFramePrefix(view: DataView, at: number, prefix: FramePrefix): void {
  view.setUint32(at, FRAME_MAGIC, true)
  view.setUint32(at + 4, prefix.totalBytes, true)
  view.setUint32(at + 8, prefix.crc, true)
  view.setUint32(at + 12, prefix.headerBytes, true)
  view.setUint32(at + 16, prefix.rawBytes, true)
}

/** Reads a prefix; undefined when magic or lengths cannot be a frame's (the checksum is the caller's to verify). */
export function readFramePrefix(view: DataView, at: number): FramePrefix | undefined {
  if (view.getUint32(at, true) !== FRAME_MAGIC) return undefined
  const totalBytes = view.getUint32(at + 4, true)
  const headerBytes = view.getUint32(at + 12, true)
  const rawBytes = view.getUint32(at + 16, true)
  if (totalBytes > FRAME_BYTES_MAX || rawBytes > FRAME_BYTES_MAX) return undefined
  if (totalBytes < FRAME_PREFIX_BYTES + headerBytes) return undefined
  return { totalBytes, crc: view.getUint32(at + 8, true), headerBytes, rawBytes }
}

/** Where the index starts in a raw body: after the NDJSON, padded to 8 bytes. */
export function indexOffset(ndjsonBytes: number): number {
  return (ndjsonBytes + 7) & ~7
}
