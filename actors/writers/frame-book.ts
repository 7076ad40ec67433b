// Opens an encoded frame for those who look at single records: the audit, replay and dead letters; off the hot path.
import { createKernel, type Kernel } from '../../kernel/kernel.js'
import { type FrameHeader, INDEX_ENTRY_BYTES } from '../../protocol/frame.js'
import { createFrameCodec, frameCodecBytes } from '../../runtime/frame-codec.js'

export interface OpenBook {
  readonly header: FrameHeader
  /** The canonical record n. */
  line(n: number): string
  /** Its time, ns since the epoch. */
  tsNs(n: number): bigint
}

export interface FrameBook {
  /** A copy: it stays valid. Throws as FrameCodec.open does. */
  open(encoded: Uint8Array): OpenBook
}

const KERNEL_OWN_BYTES = 5 * 1024 * 1024

export function createFrameBook(
  kernel: Kernel = createKernel({ memoryBytes: KERNEL_OWN_BYTES + frameCodecBytes() }),
): FrameBook {
  const codec = createFrameCodec(kernel)
  return {
    open(encoded) {
      const { header, raw, rawPtr, indexPtr } = codec.open(encoded)
      const bytes = Buffer.from(raw)
      const indexAt = indexPtr - rawPtr
      const entryOf = (n: number) => indexAt + n * INDEX_ENTRY_BYTES
      return {
        header,
        line(n) {
          const entry = entryOf(n)
          const start = bytes.readUInt32LE(entry + 8)
          return bytes.toString('utf8', start, start + bytes.readUInt32LE(entry + 12))
        },
        tsNs: (n) => bytes.readBigInt64LE(entryOf(n)),
      }
    },
  }
}
