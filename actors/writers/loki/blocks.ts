// Snappy blocks of pushes that are taken apart: kernel memory of its own, since the encoder may be in the middle of a frame.
import type { Kernel } from '../../../kernel/kernel.js'
import { createSnappy, SNAPPY_SLACK_BYTES, snappyBytes, snappyMaxLen } from '../../../kernel/snappy.js'
import { MillraceError } from '../../../protocol/errors.js'
import type { Compressor } from './divide.js'

/** Larger than any push. */
const RAW_BYTES_MAX = 8 * 1024 * 1024

export function blocksBytes(): number {
  return RAW_BYTES_MAX + SNAPPY_SLACK_BYTES + snappyMaxLen(RAW_BYTES_MAX) + snappyBytes() + 256
}

/** Results are views of kernel memory, valid until the next call. */
export function createBlocks(kernel: Kernel): Compressor {
  const { u8 } = kernel
  const snappy = createSnappy(kernel)
  const rawPtr = kernel.alloc(RAW_BYTES_MAX + SNAPPY_SLACK_BYTES, 64)
  const blockPtr = kernel.alloc(snappyMaxLen(RAW_BYTES_MAX), 64)
  return {
    compress(raw) {
      u8.set(raw, rawPtr)
      return u8.subarray(blockPtr, blockPtr + snappy.compressAt(rawPtr, raw.length, blockPtr))
    },
    decompress(block) {
      u8.set(block, blockPtr)
      const bytes = snappy.decompressAt(blockPtr, block.length, rawPtr, RAW_BYTES_MAX)
      if (bytes < 0)
        throw new MillraceError('snappy.malformed', `a push of ${block.length} bytes does not unpack`)
      return u8.subarray(rawPtr, rawPtr + bytes)
    },
  }
}
