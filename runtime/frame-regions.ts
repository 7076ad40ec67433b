// The kernel memory of a frame codec: one region for raw bodies, one for encoded frames, and the sizes they are made for.
import type { CodecKernel } from '../kernel/exports-codec.js'
import type { Snappy } from '../kernel/snappy.js'
import { createSnappy, SNAPPY_SLACK_BYTES, snappyBytes, snappyMaxLen } from '../kernel/snappy.js'
import { MillraceError } from '../protocol/errors.js'
import { FRAME_BYTES_MAX, FRAME_PREFIX_BYTES, INDEX_ENTRY_BYTES } from '../protocol/frame.js'
import type { FrameChecksum } from './frame-checksum.js'
import { frameChecksumAt } from './frame-checksum.js'

export interface FrameCodecOptions {
  /** Largest raw body (NDJSON and index). Default FRAME_BYTES_MAX: any legal frame. */
  readonly rawBytesMax?: number
  /** Largest msgpack header (streams and positions). Default 1 MiB. */
  readonly headerBytesMax?: number
}

/** More records than any legal frame has: a record takes at least `{0}`, its newline and its index entry. */
export const FRAME_RECORDS_MAX = Math.floor(FRAME_BYTES_MAX / (INDEX_ENTRY_BYTES + 4))

const HEADER_BYTES_MAX = 1024 * 1024
const CHUNK_BYTES = 64 * 1024

interface Sizes {
  readonly rawBytesMax: number
  readonly headerBytesMax: number
  readonly encodedBytesMax: number
}

function sizesOf(options: FrameCodecOptions): Sizes {
  const { rawBytesMax = FRAME_BYTES_MAX, headerBytesMax = HEADER_BYTES_MAX } = options
  const encodedBytesMax = Math.max(
    CHUNK_BYTES,
    FRAME_PREFIX_BYTES + headerBytesMax + snappyMaxLen(rawBytesMax),
  )
  return { rawBytesMax, headerBytesMax, encodedBytesMax }
}

/** Kernel memory that createFrameCodec takes. */
export function frameCodecBytes(options: FrameCodecOptions = {}): number {
  const { rawBytesMax, encodedBytesMax } = sizesOf(options)
  return rawBytesMax + encodedBytesMax + 2 * SNAPPY_SLACK_BYTES + snappyBytes() + 32
}

export interface FrameRegions extends Sizes {
  readonly kernel: CodecKernel
  readonly snappy: Snappy
  /** Works in the encoded region. */
  readonly checksum: FrameChecksum
  readonly rawPtr: number
  readonly encodedPtr: number
  /** A view of kernel memory. */
  readonly at: (ptr: number, bytes: number) => Uint8Array
}

export function createFrameRegions(kernel: CodecKernel, options: FrameCodecOptions): FrameRegions {
  const sizes = sizesOf(options)
  const snappy = createSnappy(kernel)
  const rawPtr = kernel.alloc(sizes.rawBytesMax + SNAPPY_SLACK_BYTES)
  const encodedPtr = kernel.alloc(sizes.encodedBytesMax + SNAPPY_SLACK_BYTES)
  const checksum = frameChecksumAt(kernel, encodedPtr, CHUNK_BYTES)
  const at = (ptr: number, bytes: number): Uint8Array => kernel.u8.subarray(ptr, ptr + bytes)
  return { ...sizes, kernel, snappy, checksum, rawPtr, encodedPtr, at }
}

/**
 * `set` between shared and other memory goes word by word, as if others wrote there; `fill` is one memcpy. For slots, whose owner is
 * settled before anyone copies, that is enough, and half as dear. Returns the target.
 */
export function copyPlain(target: Uint8Array, from: Uint8Array): Uint8Array {
  if (from.length > 0) Buffer.from(target.buffer, target.byteOffset, target.length).fill(from)
  return target
}

/** Copies into a target and returns the part that was filled; without a target the source itself. Throws `frame.target`. */
export function fillTarget(target: Uint8Array | undefined, from: Uint8Array, what: string): Uint8Array {
  if (target === undefined) return from
  if (target.length < from.length) {
    const message = `frame: ${what} takes ${from.length} bytes, but its target has ${target.length}`
    throw new MillraceError('frame.target', message)
  }
  return copyPlain(target.subarray(0, from.length), from)
}
