// Reads one record of a loaded frame as text: for the dead letters, off the hot path.
import type { Kernel } from '../../kernel/kernel.js'
import { INDEX_ENTRY_BYTES } from '../../protocol/frame.js'
import type { LoadedFrame } from './writer.js'

export function recordText(kernel: Pick<Kernel, 'u32' | 'u8'>, frame: LoadedFrame, n: number): string {
  const entry = (frame.indexPtr + n * INDEX_ENTRY_BYTES) >>> 2
  const start = frame.rawPtr + (kernel.u32[entry + 2] ?? 0)
  return Buffer.from(kernel.u8.subarray(start, start + (kernel.u32[entry + 3] ?? 0))).toString()
}
