// The frame codec: seals, opens and verifies frames and packs bytes, inside kernel memory that it owns.
import type { CodecKernel } from '../kernel/exports-codec.js'
import { MillraceError } from '../protocol/errors.js'
import type { FrameChecksum } from './frame-checksum.js'
import { frameTooLarge } from './frame-header.js'
import type { OpenedFrame } from './frame-open.js'
import { openFrame } from './frame-open.js'
import type { FrameCodecOptions } from './frame-regions.js'
import { createFrameRegions } from './frame-regions.js'
import type { FrameInput, SealedFrame, SealTarget } from './frame-seal.js'
import { sealFrame } from './frame-seal.js'

export type { FrameFault } from './frame-checksum.js'
export { readFrameHeader } from './frame-header.js'
export type { OpenedFrame } from './frame-open.js'
export type { FrameCodecOptions } from './frame-regions.js'
export { FRAME_RECORDS_MAX, frameCodecBytes } from './frame-regions.js'
export type { FrameInput, SealedFrame, SealTarget } from './frame-seal.js'

export interface FrameCodec extends FrameChecksum {
  /** Throws `frame.too_large`, `frame.body` (records and index do not fit each other) or `frame.target` (a target is too small). */
  seal(input: FrameInput, target?: SealTarget): SealedFrame
  /** Exactly one frame. Throws `frame.magic`, `.length`, `.crc`, `.header`, `.body`, `.too_large` or `.target`. */
  open(bytes: Uint8Array, into?: Uint8Array): OpenedFrame
  /** Copies a raw body (e.g. of a slot) into kernel memory and returns its address, valid until the codec's next call. */
  load(raw: Uint8Array): number
  /** A snappy block of at most rawBytesMax input bytes; a view of kernel memory, valid until the codec's next call. */
  compress(bytes: Uint8Array): Uint8Array
  /** The same back. Throws `snappy.malformed`, also when the output is over rawBytesMax. */
  decompress(bytes: Uint8Array): Uint8Array
}

export function createFrameCodec(kernel: CodecKernel, options: FrameCodecOptions = {}): FrameCodec {
  const regions = createFrameRegions(kernel, options)
  const { snappy, checksum, rawBytesMax, encodedBytesMax, rawPtr, encodedPtr, at } = regions

  function load(raw: Uint8Array): number {
    if (raw.length > rawBytesMax) throw frameTooLarge('a raw body', raw.length, rawBytesMax)
    kernel.u8.set(raw, rawPtr)
    return rawPtr
  }

  function compress(bytes: Uint8Array): Uint8Array {
    const inPtr = load(bytes)
    return at(encodedPtr, snappy.compressAt(inPtr, bytes.length, encodedPtr))
  }

  function decompress(bytes: Uint8Array): Uint8Array {
    const fits = bytes.length <= encodedBytesMax
    if (fits) kernel.u8.set(bytes, encodedPtr)
    const length = fits ? snappy.decompressAt(encodedPtr, bytes.length, rawPtr, rawBytesMax) : -1
    if (length < 0) {
      const message = `snappy: a block of ${bytes.length} bytes is malformed or unpacks to more than ${rawBytesMax} bytes`
      throw new MillraceError('snappy.malformed', message)
    }
    return at(rawPtr, length)
  }

  return {
    ...checksum,
    seal: (input, target = {}) => sealFrame(regions, input, target),
    open: (bytes, into) => openFrame(regions, bytes, into),
    load,
    compress,
    decompress,
  }
}
