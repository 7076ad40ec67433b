// One file that is held open: its descriptor from first sight, how far it was read, and what is known of its end.
import { closeSync } from 'node:fs'
import type { Carry, FileIdentity } from '../../../protocol/positions.js'
import type { FoundFile, FoundLog } from './found.js'
import type { Known } from './ledger.js'
import { emptyReader, type LineReader } from './reader.js'

/** A log's open files, oldest first. Only the first is read; the others are held until it is finished. */
export interface Chain {
  log: FoundLog
  readonly files: TailFile[]
  /** Files of this log that could not be opened yet for the bound on open files. */
  waiting: number
  /** Place of the first file that could not be opened at the last search: those behind it are not read before it. Infinity: none. */
  barrier: number
  /** The last listing may have missed files: nothing of it was opened. */
  torn: boolean
  /** Since when there is a barrier or listings are torn, monotonic ms. */
  barredMs: number | undefined
}

export interface TailFile {
  readonly chain: Chain
  path: string
  /** −1 when there is nothing left to read: only its recovered carry has to go on. */
  readonly fd: number
  readonly dev: number
  readonly ino: number
  readonly gz: boolean
  /** Undefined for a gzip file that is not read yet. */
  reader: LineReader | undefined
  /** Where reading begins. */
  readonly startOffset: number
  /** Undefined while the file is empty. */
  identity: FileIdentity | undefined
  /** The key of its positions; undefined while the file is empty. */
  key: string | undefined
  readonly carry: readonly Carry[] | undefined
  /** 0 until the origin was announced. */
  originId: number
  /** Begun at its end (`read_from: end`): the position is sent although nothing was read. */
  unsentStart: boolean
  live: boolean
  /** Place among its log's files. */
  order: number
  size: number
  mtimeMs: number
  queued: boolean
  /** A gzip file whose decompression was begun. */
  unpacking: boolean
  /** When it was last told that the log waits for this file, monotonic ms. */
  waitToldMs: number | undefined
  /** Since when reading it fails, monotonic ms. */
  failingMs: number | undefined
  /** The file behind it was read in an earlier life: a record begun at its end had its rest there. */
  isCutOff: boolean
  /** And that file is nowhere any more. */
  readonly followedByGone: boolean
  /** Monotonic ms. */
  firstDataMs: number | undefined
  grewMs: number
  nextLookMs: number
  lookEveryMs: number
  /** When a later file of the log was first seen to hold data. */
  successorMs: number | undefined
}

export type TailFileStart = Pick<
  TailFile,
  'chain' | 'fd' | 'startOffset' | 'identity' | 'key' | 'carry' | 'isCutOff' | 'followedByGone' | 'reader'
>

export function tailFile(found: FoundFile, start: TailFileStart, nowMs: number): TailFile {
  return {
    ...start,
    path: found.path,
    dev: found.dev,
    ino: found.ino,
    gz: found.gz,
    originId: 0,
    unsentStart: false,
    live: found.live,
    order: 0,
    size: found.size,
    mtimeMs: found.mtimeMs,
    queued: false,
    unpacking: false,
    waitToldMs: undefined,
    failingMs: undefined,
    firstDataMs: undefined,
    grewMs: nowMs,
    nextLookMs: nowMs,
    lookEveryMs: 0,
    successorMs: undefined,
  }
}

/** Read from its beginning, with nothing open before it but what the file before leaves open. */
export function startsAnew({ startOffset, carry }: TailFile): boolean {
  return startOffset === 0 && (carry?.length ?? 0) === 0
}

/** A file that is nowhere to be found, but a record that it began is known from its position. */
export function vanishedFile(
  chain: Chain,
  known: Pick<Known, 'path' | 'key' | 'identity' | 'offset' | 'carry' | 'overtaken' | 'followedByGone'>,
  nowMs: number,
): TailFile {
  const { dev, ino } = known.identity
  const found = {
    path: known.path,
    dev,
    ino,
    size: known.offset,
    mtimeMs: 0,
    live: false,
    gz: false,
    wanted: true,
  }
  const reader = emptyReader(known.offset)
  const { identity, key, carry, overtaken: isCutOff = false, offset: startOffset } = known
  const { followedByGone = false } = known
  return {
    ...tailFile(
      found,
      { chain, fd: -1, startOffset, identity, key, carry, isCutOff, followedByGone, reader },
      nowMs,
    ),
    order: -2,
  }
}

/** How long a log waits for a file that cannot be opened now; then the order of its records is given up, not the log. */
const BARRED_MS_MAX = 30_000

export function hasBarrier(chain: Chain): boolean {
  return chain.barrier !== Number.POSITIVE_INFINITY
}

/** Whether files of the log may still turn up before those that are known. */
export function isIncomplete(chain: Chain): boolean {
  return chain.torn || hasBarrier(chain)
}

/** The order was waited for long enough. */
export function isOverdue(chain: Chain, nowMs: number): boolean {
  return chain.barredMs !== undefined && nowMs - chain.barredMs >= BARRED_MS_MAX
}

export function isBarred(chain: Chain, nowMs: number, order: number): boolean {
  return hasBarrier(chain) && order >= chain.barrier && !isOverdue(chain, nowMs)
}

/** Offset of the next byte that was not handed out. */
export function offsetOf(file: TailFile): number {
  return file.reader?.offset() ?? file.startOffset
}

/** There is an unfinished line behind the offset. */
export function hasRest(file: TailFile): boolean {
  return file.reader !== undefined && file.reader.seen() > file.reader.offset()
}

export function release(file: TailFile): void {
  file.reader?.close()
  if (file.fd >= 0) closeSync(file.fd)
}
