// Reads the header of an encoded frame and says what is wrong with bytes that are not one: the errors of every fault.
import type { FrameHeader, FramePrefix } from '../protocol/frame.js'
import {
  CODEC_RAW,
  CODEC_SNAPPY,
  decodeFrameHeader,
  FRAME_BYTES_MAX,
  FRAME_PREFIX_BYTES,
  INDEX_ENTRY_BYTES,
  indexOffset,
} from '../protocol/frame.js'
import { MillraceError } from '../protocol/errors.js'
import type { FrameFault } from './frame-checksum.js'
import { checkPrefix } from './frame-checksum.js'

const FAULTS: Readonly<Record<FrameFault, string>> = {
  'frame.magic': 'do not begin with the magic of a frame',
  'frame.length': 'are not as long as a frame with this prefix is (torn or cut)',
  'frame.crc': 'do not have the checksum that their prefix states (corrupt)',
}

export function frameFaultError(fault: FrameFault, bytes: number): MillraceError {
  return new MillraceError(fault, `frame: ${bytes} bytes ${FAULTS[fault]}`)
}

export function frameTooLarge(what: string, bytes: number, bytesMax: number): MillraceError {
  const message = `frame: ${what} of ${bytes} bytes is over the limit of ${bytesMax}; seal earlier or give the codec more room`
  return new MillraceError('frame.too_large', message)
}

export function frameBodyError(id: string, what: string): MillraceError {
  return new MillraceError('frame.body', `frame ${id}: ${what}`)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= FRAME_BYTES_MAX
}

/** Bytes of the raw body that a header describes: NDJSON, padding, index. */
export function rawBodyBytes(ndjsonBytes: number, count: number): number {
  return indexOffset(ndjsonBytes) + count * INDEX_ENTRY_BYTES
}

/** Decodes a header that belongs to `prefix`. The bytes are copied first: the decoded header must not point into a reused buffer. */
export function decodeCheckedHeader(headerBytes: Uint8Array, prefix: FramePrefix): FrameHeader {
  const header = decodeFrameHeader(new Uint8Array(headerBytes))
  const sound =
    (header.codec === CODEC_RAW || header.codec === CODEC_SNAPPY) &&
    isCount(header.count) &&
    isCount(header.ndjsonBytes) &&
    Array.isArray(header.streams) &&
    Array.isArray(header.positions) &&
    rawBodyBytes(header.ndjsonBytes, header.count) === prefix.rawBytes
  if (sound) return header
  const { codec, count, ndjsonBytes } = header
  const message = `frame ${header.id}: header (codec ${codec}, count ${count}, ndjsonBytes ${ndjsonBytes}) does not describe a raw body of ${prefix.rawBytes} bytes`
  throw new MillraceError('frame.header', message)
}

/**
 * Prefix and header of an encoded frame in plain JavaScript, without a look at checksum or body: for frames that were sealed in this
 * process. Throws `frame.magic`, `frame.length` or `frame.header`.
 */
export function readFrameHeader(encoded: Uint8Array): { prefix: FramePrefix; header: FrameHeader } {
  const prefix = checkPrefix(encoded)
  if (typeof prefix === 'string') throw frameFaultError(prefix, encoded.length)
  const headerBytes = encoded.subarray(FRAME_PREFIX_BYTES, FRAME_PREFIX_BYTES + prefix.headerBytes)
  return { prefix, header: decodeCheckedHeader(headerBytes, prefix) }
}
