// Short texts in kernel memory (an action line, a tail, a label set) that the encoders splice in.
import type { CodecKernel } from './exports-codec.js'

/** The encoders copy whole vectors: up to 15 bytes past a text are read. */
const SLACK_BYTES = 16

export interface KernelText {
  readonly ptr: number
  length(): number
  /** Replaces the text. Throws an error with code `kernel.text` when it is longer than the region. */
  set(text: string | Uint8Array): void
}

export function kernelTextBytes(bytesMax: number): number {
  return bytesMax + SLACK_BYTES + 16
}

export function createKernelText(kernel: CodecKernel, bytesMax: number, name: string): KernelText {
  const ptr = kernel.alloc(bytesMax + SLACK_BYTES)
  const encoder = new TextEncoder()
  let length = 0
  return {
    ptr,
    length: () => length,
    set(text) {
      const bytes = typeof text === 'string' ? encoder.encode(text) : text
      if (bytes.length > bytesMax) {
        const message = `${name}: ${bytes.length} bytes, but the region has ${bytesMax}; give its codec a larger textBytesMax`
        throw Object.assign(new Error(message), { code: 'kernel.text' })
      }
      kernel.u8.set(bytes, ptr)
      length = bytes.length
    },
  }
}
