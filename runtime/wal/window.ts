// A moving window over a file: large reads, any piece on request, unreadable sectors as zeros.
import type { WalFile } from './files.js'

export interface Window {
  /**
   * `bytes` bytes from `offset` on, valid until the next call; the caller keeps offset + bytes ≤ limit. What the device can't read is
   * zero: a checksum fails there, and the rest of the file stays readable.
   */
  at(offset: number, bytes: number, limit: number): Promise<Uint8Array>
  /** What the window holds from `offset` on; may be empty. */
  held(offset: number): Uint8Array
}

const SECTOR_BYTES = 4096

export function createWindow(file: WalFile, chunkBytes: number): Window {
  let buffer = new Uint8Array(0)
  let start = 0
  let length = 0

  async function readSectors(into: Uint8Array, offset: number): Promise<number> {
    into.fill(0)
    for (let at = 0; at < into.length; at += SECTOR_BYTES) {
      const sector = into.subarray(at, at + SECTOR_BYTES)
      const got = await file.read(sector, offset + at).catch(() => -1)
      if (got >= 0 && got < sector.length) return at + got
    }
    return into.length
  }

  async function fill(offset: number, wanted: number): Promise<void> {
    if (buffer.length < wanted)
      buffer = new Uint8Array(Math.max(wanted, Math.min(chunkBytes, buffer.length * 2)))
    const into = buffer.subarray(0, wanted)
    start = offset
    length = 0
    length = await file.read(into, offset).catch(() => readSectors(into, offset))
  }

  return {
    async at(offset, bytes, limit) {
      if (offset < start || offset + bytes > start + length) {
        await fill(offset, Math.max(bytes, Math.min(chunkBytes, limit - offset)))
        // The file is shorter than its limit says (truncated from outside): the rest reads as zeros.
        if (length < bytes) {
          buffer.fill(0, length, bytes)
          length = bytes
        }
      }
      return buffer.subarray(offset - start, offset - start + bytes)
    },
    held: (offset) => buffer.subarray(Math.max(0, offset - start), offset < start ? 0 : length),
  }
}
