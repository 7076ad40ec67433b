// Reads whole lines of a plain file straight into the slab, by offset, without a buffer of its own.
import { readSync } from 'node:fs'
import { cutLength, type LineReader, type Piece, type Turn } from './reader.js'

const NEWLINE = 10

export interface PlainReaderOptions {
  readonly fd: number
  readonly offset: number
  readonly lineBytesMax: number
  /** The offset lies inside a line whose beginning is not wanted: what is left of it is passed over. */
  readonly insideLine?: boolean
}

/**
 * A line longer than the slab is passed over piece by piece, a slab a turn, until its newline is found; only then its first
 * `lineBytesMax` bytes are read again and handed out. So a crash in between begins with the line's first byte again.
 */
export function plainReader({ fd, offset: start, lineBytesMax, insideLine }: PlainReaderOptions): LineReader {
  let offset = start
  let searchedTo = start
  let dropping = insideLine === true

  function cut(slab: Uint8Array, lineEnd: number): Piece {
    const wanted = Math.min(lineBytesMax, slab.length, lineEnd - offset)
    const length = readSync(fd, slab, 0, wanted, offset)
    return advance({ bytes: cutLength(slab, length), offset, endOffset: lineEnd, cut: true })
  }

  function advance(piece: Piece): Piece {
    offset = piece.endOffset
    searchedTo = offset
    return piece
  }

  /** Looks for the end of a line whose beginning has been looked at before. */
  function search(slab: Uint8Array): Turn | undefined {
    const length = readSync(fd, slab, 0, slab.length, searchedTo)
    const newline = slab.subarray(0, length).indexOf(NEWLINE)
    if (newline < 0) {
      searchedTo += length
      if (dropping) offset = searchedTo
      return length === slab.length ? 'more' : 'end'
    }
    const lineEnd = searchedTo + newline + 1
    if (dropping) {
      dropping = false
      offset = lineEnd
      searchedTo = lineEnd
      return 'more'
    }
    return lineEnd - offset > slab.length ? cut(slab, lineEnd) : undefined
  }

  return {
    offset: () => offset,
    seen: () => searchedTo,
    next(slab) {
      if (searchedTo > offset || dropping) {
        const turn = search(slab)
        if (turn !== undefined) return turn
      }
      const length = readSync(fd, slab, 0, slab.length, offset)
      const bytes = lastNewline(slab, length) + 1
      if (bytes === 0) {
        searchedTo = offset + length
        return length === slab.length ? 'more' : 'end'
      }
      return advance({ bytes, offset, endOffset: offset + bytes, cut: false })
    },
    rest(slab) {
      if (searchedTo === offset || dropping) return undefined
      if (searchedTo - offset > slab.length) return cut(slab, searchedTo)
      const bytes = readSync(fd, slab, 0, searchedTo - offset, offset)
      return bytes === 0 ? undefined : advance({ bytes, offset, endOffset: offset + bytes, cut: false })
    },
    close() {},
  }
}

function lastNewline(slab: Uint8Array, length: number): number {
  // Buffer's search runs backwards in native code; a plain typed array's is ten times slower.
  return Buffer.from(slab.buffer, slab.byteOffset, length).lastIndexOf(NEWLINE)
}
