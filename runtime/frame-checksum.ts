// Verifies encoded frames without decoding them: magic, lengths and crc32c, in a small piece of kernel memory whatever the frame's size.
import type { CodecKernel } from '../kernel/exports-codec.js'
import type { FramePrefix } from '../protocol/frame.js'
import { FRAME_CRC_FROM, FRAME_MAGIC, FRAME_PREFIX_BYTES, readFramePrefix } from '../protocol/frame.js'

/** What is wrong with bytes that should be a frame; also the codes of the errors that say so. */
export type FrameFault = 'frame.magic' | 'frame.length' | 'frame.crc'

export interface FrameChecksum {
  /** CRC-32C of the bytes; `seed` is the crc of what came before them (default 0). */
  crc32c(bytes: Uint8Array, seed?: number): number
  /** Undefined when the bytes are exactly one whole frame with the right checksum, else the first fault. Never throws. */
  verify(bytes: Uint8Array): FrameFault | undefined
}

const CHUNK_BYTES = 64 * 1024

/** Kernel memory that createFrameChecksum takes. */
export function frameChecksumBytes(chunkBytes: number = CHUNK_BYTES): number {
  return chunkBytes + 16
}

/** The prefix of bytes that should be exactly one frame, or what is wrong with it; the checksum is not looked at. */
export function checkPrefix(bytes: Uint8Array): FramePrefix | Exclude<FrameFault, 'frame.crc'> {
  if (bytes.length < FRAME_PREFIX_BYTES) return 'frame.length'
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_PREFIX_BYTES)
  if (view.getUint32(0, true) !== FRAME_MAGIC) return 'frame.magic'
  const prefix = readFramePrefix(view, 0)
  return prefix === undefined || prefix.totalBytes !== bytes.length ? 'frame.length' : prefix
}

/** The same over a region that the caller owns: it is overwritten by every call. */
export function frameChecksumAt(kernel: CodecKernel, ptr: number, chunkBytes: number): FrameChecksum {
  function crc32c(bytes: Uint8Array, seed = 0): number {
    let crc = seed
    for (let from = 0; from < bytes.length; from += chunkBytes) {
      const chunk = bytes.subarray(from, from + chunkBytes)
      kernel.u8.set(chunk, ptr)
      crc = kernel.fn.crc32c(ptr, chunk.length, crc)
    }
    return crc >>> 0
  }
  function verify(bytes: Uint8Array): FrameFault | undefined {
    const prefix = checkPrefix(bytes)
    if (typeof prefix === 'string') return prefix
    return crc32c(bytes.subarray(FRAME_CRC_FROM)) === prefix.crc ? undefined : 'frame.crc'
  }
  return { crc32c, verify }
}

export function createFrameChecksum(kernel: CodecKernel, chunkBytes: number = CHUNK_BYTES): FrameChecksum {
  return frameChecksumAt(kernel, kernel.alloc(chunkBytes), chunkBytes)
}
