// Source positions: how far a source has been read, carried inside the frame that holds what was read.

/** A file's identity: inodes are reused, so device and inode are joined by a hash of the first bytes. */
export interface FileIdentity {
  readonly dev: number
  readonly ino: number
  /** Number of first bytes that the hash covers (grows up to 1,024 while a file is short). */
  readonly headBytes: number
  /** Hex of the hash over the first `headBytes` bytes. */
  readonly headHash: string
}

/** A record begun but not yet ended at `offset`: partial CRI lines or an open multi-line group of one stream. */
export interface Carry {
  readonly stream: 'stdout' | 'stderr'
  /** The runtime's timestamp of the first piece, ns since the epoch as decimal text; "0" where there is none. */
  readonly tsNs: string
  /** Fractional digits of that timestamp, 0 to 9. */
  readonly tsDigits: number
  /** Lines joined so far (of a group). */
  readonly lines: number
  /** What has been read of the record so far, at most `line_bytes_max`. */
  readonly bytes: Uint8Array
  /** More came than was kept. */
  readonly truncated: boolean
  /** partial: the next F line of this stream ends it; group: the next start line or the wait does. */
  readonly kind: 'partial' | 'group'
}

/** A carry while it grows: pieces are shared, never copied, until a frame is sealed. */
export interface OpenCarry extends Omit<Carry, 'bytes'> {
  readonly chunks: readonly Uint8Array[]
  readonly length: number
}

/** One source file's position. Everything before `offset` is in this frame or an earlier one, or was sampled out, or lies in `carry`. */
export interface FilePosition {
  readonly kind: 'file'
  /** The configured source's name. */
  readonly source: string
  /** Stable key within the source: `<dev>:<ino>:<headHash at first sight>`. The newest position of a key wins. */
  readonly key: string
  readonly path: string
  readonly identity: FileIdentity
  readonly offset: number
  readonly carry?: readonly Carry[]
  /** The file is gone or rotated away and was read to its end: the position may be forgotten after a while. */
  readonly done?: boolean
}

/** A batch that a pushing client waits for (HTTP): nothing to recover, only to answer. */
export type Position = FilePosition
