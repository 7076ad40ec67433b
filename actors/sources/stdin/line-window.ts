// A window over a stream that cannot be read twice: takes what arrives, hands out whole lines, cuts what is too long.
import { cutLength, type Piece } from '../tail/reader.js'

export interface LineWindow {
  /** Takes bytes as far as there is room; returns how many. There is room when `take` has nothing more to give. */
  put(chunk: Uint8Array): number
  /** Copies whole lines to the target; undefined when there are none. */
  take(target: Uint8Array): Piece | undefined
  /** The unfinished line at the end of the stream; a piece without bytes when there is none. */
  rest(target: Uint8Array): Piece
}

const NEWLINE = 10

/** `windowBytes` is the longest line that is not cut, and the size of the target. `lineBytesMax` must be smaller. */
export function createLineWindow(windowBytes: number, lineBytesMax: number): LineWindow {
  const buffer = Buffer.allocUnsafe(windowBytes)
  let used = 0
  let offset = 0
  /** The window holds the head of an overlong line; what follows is passed over. */
  let passing = false
  /** Bytes passed over. */
  let passed = 0
  /** The overlong line's newline was found. */
  let complete = false

  function hand(target: Uint8Array, bytes: number, cut: boolean): Piece {
    const kept = cut ? cutLength(buffer, bytes) : bytes
    target.set(buffer.subarray(0, kept))
    const piece = { bytes: kept, offset, endOffset: offset + bytes + passed, cut }
    offset = piece.endOffset
    buffer.copyWithin(0, bytes, used)
    used -= bytes
    passing = false
    complete = false
    passed = 0
    return piece
  }

  function startPassing(): void {
    passing = true
    passed = used - lineBytesMax
    used = lineBytesMax
  }

  return {
    put(chunk) {
      if (!passing) {
        const taken = Math.min(chunk.length, windowBytes - used)
        buffer.set(chunk.subarray(0, taken), used)
        used += taken
        return taken
      }
      if (complete) return 0
      const newline = chunk.indexOf(NEWLINE)
      const taken = newline < 0 ? chunk.length : newline + 1
      passed += taken
      complete = newline >= 0
      return taken
    },
    take(target) {
      if (passing) return complete ? hand(target, used, true) : undefined
      const end = buffer.subarray(0, used).lastIndexOf(NEWLINE) + 1
      if (end > 0) return hand(target, end, false)
      if (used === windowBytes) startPassing()
      return undefined
    },
    rest: (target) => hand(target, used, passing),
  }
}
