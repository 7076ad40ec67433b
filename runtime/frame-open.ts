// Opens an encoded frame: checks magic, lengths and checksum, decodes the header, unpacks the body and checks its index.
import type { FrameHeader, FramePrefix } from '../protocol/frame.js'
import { CODEC_RAW, FRAME_CRC_FROM, FRAME_PREFIX_BYTES, indexOffset } from '../protocol/frame.js'
import { checkPrefix } from './frame-checksum.js'
import { decodeCheckedHeader, frameBodyError, frameFaultError, frameTooLarge } from './frame-header.js'
import type { FrameRegions } from './frame-regions.js'
import { fillTarget } from './frame-regions.js'

/** The pointers are addresses in kernel memory, valid until the codec's next call; so is `raw` unless a target was given. */
export interface OpenedFrame {
  readonly header: FrameHeader
  readonly prefix: FramePrefix
  readonly rawPtr: number
  readonly indexPtr: number
  readonly raw: Uint8Array
}

/** Checks and decodes exactly one frame. Throws `frame.magic`, `.length`, `.crc`, `.header`, `.body`, `.too_large` or `.target`. */
export function openFrame(regions: FrameRegions, bytes: Uint8Array, into?: Uint8Array): OpenedFrame {
  const { kernel, checksum, rawBytesMax, encodedBytesMax, rawPtr, encodedPtr, at } = regions
  const { u8, fn } = kernel
  const prefix = checkPrefix(bytes)
  if (typeof prefix === 'string') throw frameFaultError(prefix, bytes.length)
  const { totalBytes, headerBytes, rawBytes } = prefix
  if (totalBytes > encodedBytesMax) {
    // a corrupt frame is called corrupt before anything is believed that it says
    const fault = checksum.verify(bytes)
    throw fault === undefined
      ? frameTooLarge('a frame', totalBytes, encodedBytesMax)
      : frameFaultError(fault, bytes.length)
  }
  u8.set(bytes, encodedPtr)
  const crc = fn.crc32c(encodedPtr + FRAME_CRC_FROM, totalBytes - FRAME_CRC_FROM, 0) >>> 0
  if (crc !== prefix.crc) throw frameFaultError('frame.crc', bytes.length)
  if (rawBytes > rawBytesMax) throw frameTooLarge('a raw body', rawBytes, rawBytesMax)
  const bodyPtr = encodedPtr + FRAME_PREFIX_BYTES + headerBytes
  const bodyBytes = totalBytes - FRAME_PREFIX_BYTES - headerBytes
  const header = decodeCheckedHeader(at(encodedPtr + FRAME_PREFIX_BYTES, headerBytes), prefix)
  unpackBody(regions, header, bodyPtr, bodyBytes, rawBytes)
  const indexPtr = rawPtr + indexOffset(header.ndjsonBytes)
  if (fn.frameCheck(rawPtr, header.ndjsonBytes, indexPtr, header.count, header.streams.length) !== 1) {
    throw frameBodyError(header.id, 'the index does not describe the records')
  }
  const raw = fillTarget(into, at(rawPtr, rawBytes), 'the raw body')
  return { header, prefix, rawPtr, indexPtr, raw }
}

function unpackBody(
  regions: FrameRegions,
  header: FrameHeader,
  bodyPtr: number,
  bodyBytes: number,
  rawBytes: number,
): void {
  const { kernel, snappy, rawPtr } = regions
  if (header.codec === CODEC_RAW) {
    if (bodyBytes !== rawBytes) {
      throw frameBodyError(header.id, `the raw body has ${bodyBytes} bytes, not ${rawBytes}`)
    }
    kernel.u8.copyWithin(rawPtr, bodyPtr, bodyPtr + rawBytes)
    return
  }
  const length = snappy.decompressAt(bodyPtr, bodyBytes, rawPtr, rawBytes)
  if (length !== rawBytes) {
    throw frameBodyError(header.id, `the snappy block does not unpack to ${rawBytes} bytes`)
  }
}
