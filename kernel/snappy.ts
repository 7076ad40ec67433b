// Snappy blocks inside kernel memory: the typed side of the compressor and the decompressor.
import type { CodecKernel } from './exports-codec.js'

/** compressAt reads up to this many bytes past its input. */
export const SNAPPY_SLACK_BYTES = 64

export interface KernelPart {
  readonly ptr: number
  readonly bytes: number
}

export interface Snappy {
  /** Bytes that compressAt may write for an input of `bytes`. */
  maxLen(bytes: number): number
  /** Compresses kernel memory to kernel memory; `outPtr` needs room for maxLen(length). Returns the block's length. */
  compressAt(inPtr: number, length: number, outPtr: number): number
  /**
   * The same for an input that lies in parts, as one block; `outPtr` needs room for maxLen of all together. Parts below some 32 KiB
   * compress worse than in one piece, and must not be more than one in each 1 KiB of input.
   */
  compressParts(parts: readonly KernelPart[], outPtr: number): number
  /** Returns the output's length, or -1 when the block is malformed or longer than `outMax`. Touches nothing outside. */
  decompressAt(inPtr: number, length: number, outPtr: number, outMax: number): number
}

/** The most bytes that a snappy block of `bytes` input bytes takes; the proof is in assembly/snappy-compress.ts. */
export function snappyMaxLen(bytes: number): number {
  return bytes + (bytes >>> 5) + 128
}

const TABLE_BYTES = 32768

/** Kernel memory that one createSnappy takes. */
export function snappyBytes(): number {
  return TABLE_BYTES + 16
}

export function createSnappy(kernel: CodecKernel): Snappy {
  const { fn } = kernel
  const tablePtr = kernel.alloc(fn.snappyTableBytes(), 16)
  return {
    maxLen: snappyMaxLen,
    compressAt: (inPtr, length, outPtr) => fn.snappyCompress(inPtr, length, outPtr, tablePtr),
    compressParts(parts, outPtr) {
      const total = parts.reduce((sum, { bytes }) => sum + bytes, 0)
      let out = fn.snappyBegin(total, outPtr)
      for (const { ptr, bytes } of parts) out = fn.snappyPart(ptr, bytes, out, tablePtr)
      return out - outPtr
    },
    decompressAt: (inPtr, length, outPtr, outMax) => fn.snappyDecompress(inPtr, length, outPtr, outMax),
  }
}
