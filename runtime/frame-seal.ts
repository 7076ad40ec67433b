// Seals a batch of canonical records into a frame: joins records and index, compresses, sums up, writes both parts to their slot.
import { SNAPPY_SLACK_BYTES } from '../kernel/snappy.js'
import type { FrameHeader } from '../protocol/frame.js'
import {
  CODEC_RAW,
  CODEC_SNAPPY,
  encodeFrameHeader,
  FRAME_BYTES_MAX,
  FRAME_CRC_FROM,
  FRAME_PREFIX_BYTES,
  INDEX_ENTRY_BYTES,
  indexOffset,
  writeFramePrefix,
} from '../protocol/frame.js'
import { frameBodyError, frameTooLarge, rawBodyBytes } from './frame-header.js'
import type { FrameRegions } from './frame-regions.js'
import { fillTarget } from './frame-regions.js'

/** What is to be sealed: a header without what sealing finds out, and where records and index lie in kernel memory. */
export interface FrameInput {
  readonly header: Omit<FrameHeader, 'v' | 'codec' | 'ndjsonBytes'>
  readonly ndjsonPtr: number
  readonly ndjsonBytes: number
  /** header.count entries of INDEX_ENTRY_BYTES. */
  readonly indexPtr: number
  /**
   * Bytes from `ndjsonPtr` on that seal may use. When the raw body and 64 bytes fit, the index is put behind the NDJSON where that
   * lies; else both are copied.
   */
  readonly roomBytes?: number
}

/** Where to put the result, e.g. the two parts of a slot; may lie in a SharedArrayBuffer. */
export interface SealTarget {
  readonly raw?: Uint8Array
  readonly encoded?: Uint8Array
}

/** `raw` and `encoded` are views of the targets, or without a target of kernel memory: then valid until the codec's next call. */
export interface SealedFrame {
  readonly header: FrameHeader
  readonly rawBytes: number
  readonly encodedBytes: number
  readonly crc: number
  readonly raw: Uint8Array
  readonly encoded: Uint8Array
}

/** Compression that saves less than a tenth is not kept: it would cost every reader for nothing. */
const KEEP_RAW_ABOVE = 0.9

/** Puts NDJSON, zero padding and index next to each other; returns where. */
function joinBody(regions: FrameRegions, input: FrameInput, rawBytes: number): number {
  const { ndjsonPtr, ndjsonBytes, indexPtr, roomBytes = 0, header } = input
  const { u8 } = regions.kernel
  const offset = indexOffset(ndjsonBytes)
  const inPlace = roomBytes >= rawBytes + SNAPPY_SLACK_BYTES
  const rawPtr = inPlace ? ndjsonPtr : regions.rawPtr
  if (!inPlace) u8.copyWithin(rawPtr, ndjsonPtr, ndjsonPtr + ndjsonBytes)
  u8.copyWithin(rawPtr + offset, indexPtr, indexPtr + header.count * INDEX_ENTRY_BYTES)
  u8.fill(0, rawPtr + ndjsonBytes, rawPtr + offset)
  return rawPtr
}

/**
 * Compresses and sums up in kernel memory, then copies to the target. Throws `frame.too_large`, `frame.body` (the index does not
 * describe the records) or `frame.target`.
 */
export function sealFrame(regions: FrameRegions, input: FrameInput, target: SealTarget): SealedFrame {
  const { kernel, snappy, rawBytesMax, headerBytesMax, encodedPtr, at } = regions
  const { u8, view, fn } = kernel
  const { ndjsonBytes } = input
  const rawBytes = rawBodyBytes(ndjsonBytes, input.header.count)
  if (rawBytes > rawBytesMax) throw frameTooLarge('a raw body', rawBytes, rawBytesMax)
  const rawPtr = joinBody(regions, input, rawBytes)
  const indexPtr = rawPtr + indexOffset(ndjsonBytes)
  const { count, streams, id } = input.header
  if (fn.frameCheck(rawPtr, ndjsonBytes, indexPtr, count, streams.length) !== 1) {
    throw frameBodyError(id, 'the index does not describe the records; it was not sealed')
  }
  let header: FrameHeader = { v: 1, ...input.header, codec: CODEC_SNAPPY, ndjsonBytes }
  let headerBytes = encodeFrameHeader(header)
  if (headerBytes.length > headerBytesMax) throw frameTooLarge('a header', headerBytes.length, headerBytesMax)
  const bodyPtr = encodedPtr + FRAME_PREFIX_BYTES + headerBytes.length
  let bodyBytes = snappy.compressAt(rawPtr, rawBytes, bodyPtr)
  if (bodyBytes > rawBytes * KEEP_RAW_ABOVE) {
    // both codec numbers take one byte in msgpack, so the header's length and the body's place stay
    header = { ...header, codec: CODEC_RAW }
    headerBytes = encodeFrameHeader(header)
    u8.copyWithin(bodyPtr, rawPtr, rawPtr + rawBytes)
    bodyBytes = rawBytes
  }
  const totalBytes = FRAME_PREFIX_BYTES + headerBytes.length + bodyBytes
  if (totalBytes > FRAME_BYTES_MAX) throw frameTooLarge('a frame', totalBytes, FRAME_BYTES_MAX)
  u8.set(headerBytes, encodedPtr + FRAME_PREFIX_BYTES)
  const prefix = { totalBytes, crc: 0, headerBytes: headerBytes.length, rawBytes }
  writeFramePrefix(view, encodedPtr, prefix)
  const crc = fn.crc32c(encodedPtr + FRAME_CRC_FROM, totalBytes - FRAME_CRC_FROM, 0) >>> 0
  writeFramePrefix(view, encodedPtr, { ...prefix, crc })
  const raw = fillTarget(target.raw, at(rawPtr, rawBytes), 'the raw body')
  const encoded = fillTarget(target.encoded, at(encodedPtr, totalBytes), 'the encoded frame')
  return { header, rawBytes, encodedBytes: totalBytes, crc, raw, encoded }
}
