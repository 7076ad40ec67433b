// What a file looks like to the tail: a stream of bytes from which whole lines are taken into the slab.

/** Lines that now lie at the slab's beginning. */
export interface Piece {
  /** Bytes in the slab. */
  readonly bytes: number
  /** File offset of the first of them; in a gzip file, of the decompressed stream. */
  readonly offset: number
  /** File offset after them; more than `offset + bytes` where the rest of a too long line was skipped. */
  readonly endOffset: number
  /** One line that was longer than the slab: only its first `line_bytes_max` bytes are there. */
  readonly cut: boolean
}

/** `more`: progress without a whole line, ask again; `end`: no whole line is there at present; `wait`: `onReady` will tell. */
export type Turn = Piece | 'more' | 'end' | 'wait'

export interface LineReader {
  /** Offset of the next byte that was not handed out. */
  offset(): number
  /** Offset up to which the file was looked at: beyond `offset` lies an unfinished line. */
  seen(): number
  /** Takes one slab of whole lines at most. Throws the system error of a failed read. */
  next(slab: Uint8Array): Turn
  /** The unfinished last line, for a file that will not grow; undefined when there is none. */
  rest(slab: Uint8Array): Piece | undefined
  close(): void
}

/** The reader of a file that is gone and whose last record is only known from its recovered position. */
export function emptyReader(offset: number): LineReader {
  return {
    offset: () => offset,
    seen: () => offset,
    next: () => 'end',
    rest: () => undefined,
    close: () => {},
  }
}

/** Shortens a cut so that it does not end inside a UTF-8 sequence (RFC 3629: at most 4 bytes). */
export function cutLength(bytes: Uint8Array, length: number): number {
  let at = length
  while (at > 0 && length - at < 3 && ((bytes[at - 1] as number) & 0xc0) === 0x80) at--
  const lead = bytes[at - 1] as number
  const wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1
  return at > 0 && wanted > length - at + 1 ? at - 1 : length
}
