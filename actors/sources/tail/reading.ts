// Reads the open files: looks whether one has grown, takes its lines slab by slab, and lets it go when it is finished.
import { fstatSync } from 'node:fs'
import { systemCode } from '../../../protocol/errors.js'
import type { Conditions } from './conditions.js'
import type { LogSource } from './found.js'
import { gzReader } from './gz-reader.js'
import { headMatches, identityOf, inodeOf, keyOf, readHead } from './identity.js'
import type { Ledger } from './ledger.js'
import type { OpenFiles } from './open-files.js'
import { plainReader } from './plain-reader.js'
import { hasRest, isBarred, offsetOf, tailFile, type TailFile } from './tail-file.js'
import type { Wire } from './wire.js'

/** Gzip files decompressed at the same time: each needs a window of its own. */
const GZ_OPEN_MAX = 2
/** Far below the time for which parse waits for the rest of a record. */
const WAIT_TOLD_EVERY_MS = 5000
/** `run --once`: a file that fails for so long is left, and told of in the end. */
const ONCE_FAILING_MAX_MS = 30_000
/** How much rarer a quiet file is looked at than a busy one. */
const IDLE_FACTOR_MAX = 10

export interface ReadingOptions {
  readonly open: OpenFiles
  readonly ledger: Ledger
  readonly conditions: Conditions
  readonly wire: Wire
  readonly logs: LogSource
  readonly slab: Uint8Array
  readonly once: boolean
  readonly lineBytesMax: number
  readonly pollMs: number
  readonly lineWaitMaxMs: number
  readonly retryMs: number
  nowMs(): number
  /** The file has something to read: it gets its turn. */
  enqueue(file: TailFile): void
  onTruncated(path: string): void
}

export interface Reading {
  /** Looks at the log's first file: enqueues it when it has grown, ends it when it is finished. */
  look(file: TailFile): void
  /** Sends one slab at most. Returns whether there is more at once. */
  turn(file: TailFile): boolean
  /** Lets a quiet file go without an end: it is opened again when it changes. */
  park(file: TailFile): boolean
}

export function createReading(options: ReadingOptions): Reading {
  const { open, ledger, conditions, wire, slab, once, pollMs, lineWaitMaxMs, nowMs, enqueue } = options
  const quietEveryMs = pollMs * IDLE_FACTOR_MAX
  let gzOpen = 0

  function lookPlain(file: TailFile): void {
    const stat = fstatSync(file.fd)
    const { reader } = file
    if (reader === undefined) return
    const changed = stat.size !== file.size || stat.mtimeMs !== file.mtimeMs
    file.size = stat.size
    file.mtimeMs = stat.mtimeMs
    if (stat.nlink === 0) file.live = false
    if (stat.size < reader.seen() || (changed && isOverwritten(file))) return restart(file)
    if (stat.size > reader.seen() || file.unsentStart) {
      if (stat.size > reader.seen()) file.grewMs = nowMs()
      file.lookEveryMs = pollMs
      enqueue(file)
    } else {
      file.lookEveryMs = Math.min(Math.max(pollMs, file.lookEveryMs * 1.5), quietEveryMs)
      endWhenDone(file)
    }
  }

  /** The first bytes are not those any more: truncated and written again between two looks. */
  function isOverwritten(file: TailFile): boolean {
    const { identity, fd } = file
    return identity !== undefined && identity.headBytes > 0 && !headMatches(identity, readHead(fd))
  }

  /** copytruncate: what the descriptor holds now is another file, from its first byte. */
  function restart(file: TailFile): void {
    options.onTruncated(file.path)
    if (file.originId !== 0) wire.mark(file, true)
    wire.close(file, true)
    const { path, dev, ino, size, mtimeMs, live, chain, fd } = file
    const reader = plainReader({ fd, offset: 0, lineBytesMax: options.lineBytesMax })
    const found = { path, dev, ino, size, mtimeMs, live, gz: false, wanted: true }
    const nothing = { identity: undefined, key: undefined, carry: undefined }
    const fresh = { chain, fd, startOffset: 0, ...nothing, isCutOff: false, followedByGone: false, reader }
    Object.assign(file, { ...tailFile(found, fresh, nowMs()), order: file.order, queued: file.queued })
  }

  function lookGz(file: TailFile): void {
    file.lookEveryMs = pollMs
    tellWait(file)
    if (file.reader === undefined) startGz(file)
    else if (file.unpacking) enqueue(file)
    else endWhenDone(file)
  }

  /** Others are unpacked first, or the disk is slow: a record that goes on in this file is not at its end for that. */
  function tellWait(file: TailFile): void {
    const isDue = nowMs() - (file.waitToldMs ?? Number.NEGATIVE_INFINITY) >= WAIT_TOLD_EVERY_MS
    if (file.originId !== 0 || !isDue) return
    file.waitToldMs = nowMs()
    wire.waits(file.chain.log)
  }

  function startGz(file: TailFile): void {
    if (gzOpen >= GZ_OPEN_MAX) return
    gzOpen++
    file.unpacking = true
    file.reader = gzReader({
      fd: file.fd,
      skipTo: file.startOffset,
      lineBytesMax: options.lineBytesMax,
      windowBytes: slab.length,
      onReady: () => enqueue(file),
      onCorrupt: (error) => conditions.report(file.path, 'gzip', error),
    })
    enqueue(file)
  }

  /** Called for a file that has been read to its end: is this end final? */
  function endWhenDone(file: TailFile): void {
    const next = file.chain.files[1]
    const followed = next !== undefined || file.chain.waiting > 0
    // An unfinished line ends with its file; an open partial goes on in the log's next one.
    const end = (): void => finish(file, !followed || hasRest(file))
    if (once || file.gz || file.fd < 0) return end()
    if (file.live) return
    if (next !== undefined && !hasRest(file) && hasData(next)) {
      // The writer has moved on to the next file: one more look after that, and nothing of this one is missed.
      file.successorMs ??= nowMs()
      file.lookEveryMs = pollMs
      if (nowMs() - file.successorMs >= pollMs) return end()
    }
    if (nowMs() - file.grewMs >= lineWaitMaxMs) end()
  }

  function finish(file: TailFile, last: boolean): void {
    const gone = !(once && file.live)
    const hasNews = file.originId !== 0 || hasRest(file) || (file.carry?.length ?? 0) > 0 || gone
    if (hasNews && (file.key !== undefined || hasRest(file))) {
      const rest = last ? file.reader?.rest(slab) : undefined
      if (rest !== undefined) wire.lines(file, rest, true)
      else if (last || file.originId === 0) wire.mark(file, last)
      wire.close(file, gone)
    }
    letGo(file, gone)
  }

  function letGo(file: TailFile, done: boolean): void {
    const { path, dev, ino, size, mtimeMs } = file
    const offset = offsetOf(file)
    if (file.unpacking) gzOpen--
    open.remove(file)
    const next = file.chain.files[0]
    if (next !== undefined) next.nextLookMs = nowMs()
    const identity = file.identity ?? identityOf(dev, ino, new Uint8Array(0))
    ledger.remember(
      // Of a file that was nowhere only the offset is known: should it turn up under another name, it goes on there.
      {
        path,
        identity,
        key: file.key ?? keyOf(identity),
        offset,
        done,
        overtaken: file.isCutOff,
        followedByGone: file.followedByGone,
        ...(file.fd < 0 ? {} : { size, mtimeMs }),
      },
      inodeOf(file),
    )
  }

  function failed(file: TailFile, error: unknown): false {
    const code = systemCode(error)
    if (code === undefined) throw error
    conditions.report(file.path, code, error)
    file.nextLookMs = nowMs() + options.retryMs
    file.failingMs ??= nowMs()
    const isHopeless = once && nowMs() - file.failingMs >= ONCE_FAILING_MAX_MS
    // A stale handle never works again.
    if (code === 'ESTALE' || isHopeless) letGo(file, false)
    return false
  }

  /** Files that are quiet for long are looked at together: each in its own time, they would keep the thread awake. */
  function nextLookMs({ lookEveryMs }: TailFile): number {
    const atMs = nowMs() + lookEveryMs
    return lookEveryMs < quietEveryMs
      ? atMs
      : Math.ceil(atMs / quietEveryMs) * quietEveryMs - quietEveryMs / 2
  }

  function isAdmitted(file: TailFile): boolean {
    if (file.originId !== 0 || options.logs.admit === undefined) return true
    file.firstDataMs ??= nowMs()
    return options.logs.admit(file.chain.log, nowMs() - file.firstDataMs)
  }

  return {
    look(file) {
      try {
        if (file.fd < 0) endWhenDone(file)
        else if (file.gz) lookGz(file)
        else lookPlain(file)
        if (file.nextLookMs <= nowMs()) file.nextLookMs = nextLookMs(file)
      } catch (error) {
        failed(file, error)
      }
    },
    turn(file) {
      const { reader } = file
      if (reader === undefined || file.chain.files[0] !== file || !isAdmitted(file)) return false
      if (isBarred(file.chain, nowMs(), file.order)) return false
      try {
        if (file.unsentStart) {
          file.unsentStart = false
          wire.mark(file, false)
        }
        const turn = reader.next(slab)
        file.failingMs = undefined
        if (turn === 'more') return true
        if (turn === 'end' && (file.gz || once)) endWhenDone(file)
        if (turn === 'end' || turn === 'wait') return false
        wire.lines(file, turn, false)
        return once || file.gz || reader.seen() < file.size
      } catch (error) {
        return failed(file, error)
      }
    },
    park(file) {
      const quiet = nowMs() - file.grewMs >= lineWaitMaxMs && file.size === offsetOf(file)
      if (!quiet || file.gz || file.queued || file.chain.files.length > 1) return false
      wire.close(file, false)
      letGo(file, false)
      return true
    },
  }
}

function hasData(file: TailFile): boolean {
  return file.gz || file.fd < 0 || fstatSync(file.fd).size > 0
}
