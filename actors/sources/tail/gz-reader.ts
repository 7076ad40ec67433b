// Reads whole lines of a gzip file: decompresses step by step into a window of one slab, forward only.
import { read } from 'node:fs'
import { constants, createGunzip } from 'node:zlib'
import { cutLength, type LineReader, type Piece } from './reader.js'

/** Compressed bytes a step: small, because one step's output (at most 1,032 times as much) is held until it is taken. */
const STEP_BYTES = 8 * 1024
const NEWLINE = 10

export interface GzReaderOptions {
  readonly fd: number
  /** Decompressed bytes that were read before. */
  readonly skipTo: number
  readonly lineBytesMax: number
  readonly windowBytes: number
  /** There is something to take after a `wait`. */
  onReady(): void
  /** The file is corrupt or cut off; what came before is still handed out. */
  onCorrupt(error: Error): void
}

export function gzReader(options: GzReaderOptions): LineReader {
  const { fd, skipTo, lineBytesMax, onReady, onCorrupt } = options
  // Every step's output is flushed at once, so nothing that can be decompressed stays behind a corrupt place.
  const gunzip = createGunzip({ flush: constants.Z_SYNC_FLUSH })
  const input = Buffer.allocUnsafe(STEP_BYTES)
  const window = Buffer.allocUnsafe(options.windowBytes)
  let chunks: Buffer[] = []
  /** Bytes of the window that hold [offset, offset + used). */
  let used = 0
  let offset = skipTo
  /** Decompressed offset of the first chunk. */
  let arrived = 0
  let inputAt = 0
  let stepping = false
  /** Of the last read; told by `next`, and the same bytes are read again after that. */
  let failed: Error | undefined
  let ended = false
  let closed = false
  /** passing: the window holds the head of a line longer than it, the rest is passed over; passed: its end was found. */
  let mode: 'lines' | 'passing' | 'passed' = 'lines'
  /** Offset after what was passed over. */
  let passedTo = 0

  gunzip.on('data', (chunk: Buffer) => chunks.push(chunk))
  gunzip.on('error', (error) => {
    if (!ended && !closed) onCorrupt(error)
    ended = true
    ready()
  })
  gunzip.on('end', () => {
    ended = true
    ready()
  })

  function ready(): void {
    stepping = false
    if (!closed) onReady()
  }

  function step(): void {
    if (stepping || ended || closed) return
    stepping = true
    read(fd, input, 0, STEP_BYTES, inputAt, (error, length) => {
      if (closed) return
      if (error !== null) {
        failed = error
        return ready()
      }
      if (length === 0) return void gunzip.end()
      inputAt += length
      gunzip.write(input.subarray(0, length), (corrupt) => {
        if (corrupt === null || corrupt === undefined) ready()
      })
    })
  }

  /** Moves what has arrived into the window, as far as it goes. */
  function fill(): void {
    for (let chunk = chunks[0]; chunk !== undefined; chunk = chunks[0]) {
      const taken = take(chunk)
      if (taken === 0) return
      arrived += taken
      if (taken === chunk.length) chunks.shift()
      else chunks[0] = chunk.subarray(taken)
    }
  }

  /** Returns how many bytes of the chunk were used; 0 when there is no room now. */
  function take(chunk: Buffer): number {
    if (arrived < skipTo) return Math.min(skipTo - arrived, chunk.length)
    if (mode === 'passed') return 0
    if (mode === 'lines') {
      const copied = chunk.copy(window, used)
      used += copied
      return copied
    }
    const newline = chunk.indexOf(NEWLINE)
    if (newline >= 0) mode = 'passed'
    const taken = newline < 0 ? chunk.length : newline + 1
    passedTo += taken
    return taken
  }

  function handOut(slab: Uint8Array, bytes: number): Piece {
    slab.set(window.subarray(0, bytes))
    const piece = { bytes, offset, endOffset: offset + bytes, cut: false }
    offset += bytes
    window.copyWithin(0, bytes, used)
    used -= bytes
    return piece
  }

  function cut(slab: Uint8Array): Piece {
    const bytes = cutLength(window, used)
    slab.set(window.subarray(0, bytes))
    const piece = { bytes, offset, endOffset: passedTo, cut: true }
    offset = passedTo
    used = 0
    mode = 'lines'
    return piece
  }

  return {
    offset: () => offset,
    seen: () => (mode === 'lines' ? offset + used : passedTo),
    next(slab) {
      fill()
      if (mode === 'passed') return cut(slab)
      const drained = ended && chunks.length === 0
      if (mode === 'lines' && (drained || used === window.length)) {
        const bytes = window.subarray(0, used).lastIndexOf(NEWLINE) + 1
        if (bytes > 0) return handOut(slab, bytes)
        if (used === window.length) {
          mode = 'passing'
          passedTo = offset + used
          used = Math.min(lineBytesMax, used)
          return 'more'
        }
      }
      if (drained) return 'end'
      const fault = failed
      failed = undefined
      if (fault !== undefined) throw fault
      step()
      return 'wait'
    },
    rest(slab) {
      if (mode !== 'lines') return cut(slab)
      return used === 0 ? undefined : handOut(slab, used)
    },
    close() {
      closed = true
      chunks = []
      gunzip.destroy()
    },
  }
}

/** The decompressed size modulo 2^32 that a gzip file's last four bytes state (RFC 1952, ISIZE). */
export function isizeOf(trailer: Uint8Array): number {
  return new DataView(trailer.buffer, trailer.byteOffset, 4).getUint32(0, true)
}
