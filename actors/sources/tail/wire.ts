// What the tail tells the ingest chain: origins, slabs and their ends.
import { systemCode } from '../../../protocol/errors.js'
import type { ActorContext } from '../../../runtime/actor.js'
import { nextOriginId } from '../slab.js'
import type { FoundLog, LogSource } from './found.js'
import { HEAD_BYTES_MAX, identityOf, keyOf, readHead } from './identity.js'
import type { Piece } from './reader.js'
import { offsetOf, startsAnew, type TailFile } from './tail-file.js'

export interface Wire {
  /** Sends the origin again: what the host knows has changed. */
  update(file: TailFile): void
  /** Sends lines that lie in the slab, and the origin before the first of them. */
  lines(file: TailFile, piece: Piece, last: boolean): void
  /** A slab without bytes: the position counts, and with `last` open records end. */
  mark(file: TailFile, last: boolean): void
  close(file: TailFile, done: boolean): void
  /** The log's next file is there and can not be read yet. */
  waits(log: FoundLog): void
}

export interface WireOptions {
  readonly context: ActorContext
  /** The configured source's name. */
  readonly source: string
  readonly slab: Uint8Array
  readonly logs: LogSource
}

export function createWire({ context, source, slab, logs }: WireOptions): Wire {
  // Two sources may read the same log: what is open in it belongs to each of them on its own.
  const joinKeyOf = (log: FoundLog) => `${source}:${log.key}`

  function sendOrigin(file: TailFile): void {
    const { identity, key, carry, path } = file
    if (identity === undefined || key === undefined) return
    const first = file.originId === 0
    if (first) file.originId = nextOriginId(context)
    context.send('parse', {
      type: 'origin',
      origin: {
        id: file.originId,
        source,
        ...logs.describe(file.chain.log),
        joinKey: joinKeyOf(file.chain.log),
        file: { key, path, identity },
      },
      ...(first && carry !== undefined && carry.length > 0 ? { carry } : {}),
      ...(first && !startsAnew(file) ? { detached: true } : {}),
    })
  }

  /** A file that was short at first sight gets an identity over more bytes as it grows. */
  function growIdentity(file: TailFile, piece: Piece): boolean {
    const { identity, gz } = file
    if (gz || file.fd < 0 || (identity !== undefined && identity.headBytes >= HEAD_BYTES_MAX)) return false
    const head = headOf(file, piece)
    if (head.length <= (identity?.headBytes ?? 0)) return false
    file.identity = identityOf(file.dev, file.ino, head)
    file.key ??= keyOf(file.identity)
    return identity !== undefined
  }

  /** The piece is out of the file already, so nothing here may fail for a disk that does: without a head the identity grows later. */
  function headOf(file: TailFile, piece: Piece): Uint8Array {
    if (piece.offset === 0) return slab.subarray(0, Math.min(HEAD_BYTES_MAX, piece.bytes))
    try {
      return readHead(file.fd)
    } catch (error) {
      if (systemCode(error) === undefined) throw error
      return new Uint8Array(0)
    }
  }

  function send(file: TailFile, piece: Piece, last: boolean): void {
    // Without bytes the end of a truncated file may be told: what its descriptor holds now is not its beginning.
    const grown = piece.bytes > 0 && growIdentity(file, piece)
    if (file.originId === 0) sendOrigin(file)
    context.send('parse', {
      type: 'slab',
      origin: file.originId,
      bytes: slab.subarray(0, piece.bytes),
      offset: piece.offset,
      endOffset: piece.endOffset,
      ...(piece.cut ? { cut: true } : {}),
      ...(last ? { last: true } : {}),
      ...(grown && file.identity !== undefined ? { identity: file.identity } : {}),
    })
    if (piece.bytes > 0) context.metrics.add('bytes_read_total', piece.bytes, { source })
  }

  return {
    waits: (log) => context.send('parse', { type: 'log_waits', joinKey: joinKeyOf(log) }),
    update(file) {
      if (file.originId !== 0) sendOrigin(file)
    },
    lines: send,
    mark(file, last) {
      const offset = offsetOf(file)
      send(file, { bytes: 0, offset, endOffset: offset, cut: false }, last)
    },
    close(file, done) {
      const cutOff = file.isCutOff ? ({ cutOff: true } as const) : {}
      if (file.originId !== 0)
        context.send('parse', { type: 'origin_closed', origin: file.originId, done, ...cutOff })
    },
  }
}
