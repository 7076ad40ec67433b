// Opens a found file: tells by its identity whether it is known, and where reading it begins.
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { systemCode } from '../../../protocol/errors.js'
import type { Conditions } from './conditions.js'
import type { FoundFile } from './found.js'
import { identityOf, inodeOf, keyOf, readGzHead, readHead } from './identity.js'
import type { Known, Ledger } from './ledger.js'
import { plainReader } from './plain-reader.js'
import { emptyReader } from './reader.js'
import { tailFile, type Chain, type TailFile } from './tail-file.js'
import { isizeOf } from './gz-reader.js'

export interface OpeningOptions {
  readonly ledger: Ledger
  readonly conditions: Conditions
  readonly lineBytesMax: number
  /** The file with this inode in the present listing. */
  listedAt(inode: string): FoundFile | undefined
  /** A position for this gzip file's origin is already being read from a descriptor held since before. */
  isHeld(head: Uint8Array, found: FoundFile): TailFile | undefined
  /** The file became shorter than its position while nobody looked. */
  onTruncated(found: FoundFile): void
  nowMs(): number
}

export interface Opening {
  /**
   * Returns the open file; `nothing` when it holds nothing new or cannot be read now (then the condition is counted);
   * `unknown` for a gzip file that nobody asked for and that no known file has become; `later` when it is no longer there, or
   * when there are no descriptors: the next search tells; `failed` when the disk did not answer (then the condition is counted).
   */
  open(found: FoundFile, chain: Chain, fromEnd: boolean): TailFile | NotOpened
}

export type NotOpened = 'nothing' | 'unknown' | 'later' | 'failed'

/** What a disk, or a network behind it, answers for a while. */
const PASSING_FAULTS: ReadonlySet<string> = new Set(['EIO', 'ESTALE', 'EAGAIN', 'ENOMEM', 'ETIMEDOUT'])

export function createOpening(options: OpeningOptions): Opening {
  const { ledger, conditions, lineBytesMax, nowMs } = options

  function openPlain(fd: number, found: FoundFile, chain: Chain, fromEnd: boolean): TailFile | 'nothing' {
    const head = readHead(fd)
    const known = ledger.has(found) ? ledger.match(found, head) : undefined
    const insideLine = known === undefined && fromEnd && found.size > 0 && !endsWithNewline(fd, found.size)
    if (known !== undefined) {
      ledger.take(known)
      if (isFinished(known, found)) return settle(known, found)
    }
    const truncated = known !== undefined && found.size < known.offset
    if (truncated) options.onTruncated(found)
    const usable = truncated ? undefined : known
    const identity =
      usable?.identity ?? (head.length > 0 ? identityOf(found.dev, found.ino, head) : undefined)
    const atEnd = usable === undefined && fromEnd
    const offset = atEnd ? found.size : (usable?.offset ?? 0)
    const file = tailFile(
      found,
      {
        chain,
        fd,
        startOffset: offset,
        identity,
        key: usable?.key ?? (identity === undefined ? undefined : keyOf(identity)),
        carry: usable?.carry,
        isCutOff: usable?.overtaken ?? false,
        followedByGone: usable?.followedByGone ?? false,
        reader: plainReader({ fd, offset, lineBytesMax, insideLine }),
      },
      nowMs(),
    )
    file.unsentStart = atEnd && found.size > 0
    return file
  }

  function openGz(
    fd: number,
    found: FoundFile,
    chain: Chain,
    fromEnd: boolean,
  ): TailFile | 'nothing' | 'unknown' {
    const head = readGzHead(fd)
    if (head === undefined) {
      if (!found.wanted) return 'unknown'
      conditions.report(found.path, 'gzip')
      return 'nothing'
    }
    const held = options.isHeld(head, found)
    if (held !== undefined) return 'nothing'
    const known = ledger.matchGz(found, head, options.listedAt)
    if (known === undefined && !found.wanted) return 'unknown'
    const identity = known?.identity ?? identityOf(found.dev, found.ino, head)
    // Before the position is taken: it would be lost with a read that fails.
    const size = isize(fd, found.size)
    if (known !== undefined) ledger.take(known)
    const skipped = known === undefined && fromEnd
    const startOffset = known?.offset ?? (skipped ? size : 0)
    const complete = skipped || size === startOffset % 2 ** 32
    if (complete && known?.done && !known.carry?.length) return settle(known, found)
    const start = {
      chain,
      fd,
      startOffset,
      identity,
      key: known?.key ?? keyOf(identity),
      carry: known?.carry,
      isCutOff: known?.overtaken ?? false,
      followedByGone: known?.followedByGone ?? false,
    }
    // A gzip file has its size for ever: when all of it was read, only its end has to be told.
    return tailFile(found, { ...start, reader: complete ? emptyReader(startOffset) : undefined }, nowMs())
  }

  function settle(known: Known, found: FoundFile): 'nothing' {
    ledger.remember({ ...known, path: found.path, size: found.size, mtimeMs: found.mtimeMs }, inodeOf(found))
    return 'nothing'
  }

  return {
    open(listed, chain, fromEnd) {
      let fd = -1
      let result: TailFile | NotOpened = 'nothing'
      try {
        // O_NONBLOCK: opening a named pipe must not stop the thread.
        fd = openSync(listed.path, constants.O_RDONLY | constants.O_NONBLOCK)
        const stat = fstatSync(fd)
        if (stat.ino !== listed.ino || stat.dev !== listed.dev) {
          // Rotated between the listing and the opening: this is the next file, and the one before it has to be read first.
          result = 'later'
        } else if (!stat.isFile())
          conditions.report(listed.path, stat.isDirectory() ? 'EISDIR' : 'not_a_file')
        else {
          const found = asOpened(listed, stat)
          result = listed.gz ? openGz(fd, found, chain, fromEnd) : openPlain(fd, found, chain, fromEnd)
          if (typeof result !== 'string') conditions.clear(listed.path)
        }
      } catch (error) {
        const code = systemCode(error) ?? 'open'
        // Gone between the listing and the opening: the next listing tells what became of it.
        if (code === 'ENOENT') result = 'later'
        else {
          conditions.report(listed.path, code, error)
          if (code === 'EMFILE' || code === 'ENFILE') result = 'later'
          else if (PASSING_FAULTS.has(code)) result = 'failed'
        }
      }
      if (typeof result === 'string' && fd >= 0) closeSync(fd)
      return result
    },
  }
}

/** The file may have grown since it was listed: the descriptor is right. */
function asOpened(listed: FoundFile, stat: Stats): FoundFile {
  return { ...listed, size: stat.size, mtimeMs: stat.mtimeMs }
}

function isFinished(known: Known, found: FoundFile): boolean {
  return known.done && !found.live && known.offset === found.size && !known.carry?.length
}

function endsWithNewline(fd: number, size: number): boolean {
  const last = Buffer.alloc(1)
  return readSync(fd, last, 0, 1, size - 1) === 1 && last[0] === 10
}

/** What a gzip file says of its decompressed size, modulo 2^32. */
function isize(fd: number, size: number): number {
  const trailer = Buffer.alloc(4)
  return size >= 18 && readSync(fd, trailer, 0, 4, size - 4) === 4 ? isizeOf(trailer) : 0
}
