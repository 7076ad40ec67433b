// Brings the open files in line with what the folders hold: new files are opened, renamed and deleted ones marked.
import type { FoundFile, FoundLog } from './found.js'
import { headMatches, inodeOf, readHead } from './identity.js'
import { folderOf, isListed } from './listed.js'
import type { Known } from './ledger.js'
import type { OpenFiles } from './open-files.js'
import { createOpening, type OpeningOptions } from './opening.js'
import {
  hasBarrier,
  isIncomplete,
  isOverdue,
  release,
  startsAnew,
  vanishedFile,
  type Chain,
  type TailFile,
} from './tail-file.js'

/** Gzip files that were looked into and belong to nobody, remembered so that they are not opened at every search. */
const REJECTED_MAX = 10_000

export interface SearchOptions
  extends Pick<OpeningOptions, 'ledger' | 'conditions' | 'lineBytesMax' | 'nowMs' | 'onTruncated'> {
  readonly open: OpenFiles
  readonly filesMax: number
  /** The first search of a source without any position begins at the end of what exists. */
  readonly fromEnd: boolean
  /** What exists is read once: a file that fails is counted, and not waited for. */
  readonly once: boolean
  /** The log a path belongs to, whether the file exists or not. */
  logOf(path: string): FoundLog | undefined
  /** Frees descriptors of files that have nothing new, when the bound is reached. */
  park(wanted: number): void
}

export interface Search {
  /** Takes over a complete listing; logs that are the same objects as in the last one have not changed. Returns the number of files that wait for a descriptor. */
  apply(logs: readonly FoundLog[]): number
}

export function createSearch(options: SearchOptions): Search {
  const { open, ledger, filesMax } = options
  const rejected = new Map<string, number>()
  let listed = new Map<string, FoundFile>()
  /** Open files whose packed form was met in this search, with its place in the log. */
  const packed = new Map<TailFile, number>()
  let placeInLog = 0
  /** Logs that this search has found. */
  const reached = new Set<Chain>()
  let first = true
  /** Recovered positions may hold records whose file is gone. */
  let carriesLeft = true
  /** What the last search was about, if it left nothing to come back for. */
  let settled: { readonly logs: readonly FoundLog[]; readonly changes: number } | undefined
  const exists = (inode: string): boolean => listed.has(inode) || open.at(inode) !== undefined
  const opening = createOpening({ ...options, listedAt: (inode) => listed.get(inode), isHeld })

  /** The descriptor held since before a file was packed is still being read: the packed form is not read again. */
  function isHeld(head: Uint8Array, found: FoundFile): TailFile | undefined {
    for (const chain of open.chains()) {
      const sameFolder = folderOf(chain.log.livePath) === folderOf(found.path)
      const held = sameFolder && chain.files.find((file) => isPackedForm(file, head))
      if (!held) continue
      packed.set(held, placeInLog)
      return held
    }
    return undefined
  }

  function isPackedForm(file: TailFile, head: Uint8Array): boolean {
    if (file.gz || listed.has(inodeOf(file))) return false
    if (file.fd < 0) return file.identity !== undefined && headMatches(file.identity, head)
    // Not by its identity: a file that is held since it was empty, and waits for its turn, has none yet.
    const own = readHead(file.fd)
    const bytes = Math.min(own.length, head.length)
    return bytes > 0 && Buffer.compare(own.subarray(0, bytes), head.subarray(0, bytes)) === 0
  }

  function isRejected(found: FoundFile): boolean {
    return rejected.get(inodeOf(found)) === found.mtimeMs
  }

  function reject(found: FoundFile): void {
    if (rejected.size >= REJECTED_MAX) rejected.clear()
    rejected.set(inodeOf(found), found.mtimeMs)
  }

  /** Opens what is new of one log; files that nobody asked for only when they were written after a known one. */
  function applyLog(log: FoundLog, withGz: boolean): void {
    const chain = open.chain(log)
    reached.add(chain)
    chain.torn = log.torn === true && !isOverdue(chain, options.nowMs())
    if (chain.torn) {
      // A file opened now could be one that is to be read after a file which the listing has missed.
      chain.waiting = 1
      return
    }
    chain.waiting = 0
    chain.barrier = Number.POSITIVE_INFINITY
    let knownMtimeMs = newestUnlisted(chain)
    let before: TailFile | undefined
    /** The next file in order; none where it was read already. */
    const follow = (file: TailFile | undefined): void => {
      if (before !== undefined) before.isCutOff = !isFollowed(before, file)
      before = file
    }
    for (const [order, found] of log.files.entries()) {
      if (found.gz && !withGz) continue
      const held = open.at(inodeOf(found))
      if (held !== undefined) {
        if (held.chain === chain) {
          Object.assign(held, { path: found.path, order, live: found.live })
          follow(held)
        }
        knownMtimeMs = Math.max(knownMtimeMs ?? 0, found.mtimeMs)
        continue
      }
      const known = ledger.has(found)
      if (known) knownMtimeMs = Math.max(knownMtimeMs ?? 0, found.mtimeMs)
      const isSettled = ledger.settled(found)
      if (isSettled) follow(undefined)
      if (isSettled || isRejected(found)) continue
      const follows = knownMtimeMs !== undefined && found.mtimeMs >= knownMtimeMs
      if (!found.wanted && !known && !follows && !found.gz) continue
      placeInLog = order
      const file = openOne(found, chain, follows)
      if (file === 'later' || file === 'full' || file === 'failed') {
        // Packed or rotated away at this moment, say: what follows it in the log waits for it, so that order is kept.
        chain.waiting++
        chain.barrier = Math.min(chain.barrier, order)
        if (before !== undefined && !known) before.isCutOff = before.followedByGone
        before = undefined
        if (file === 'later') break
        continue
      }
      if (file !== undefined || ledger.settled(found)) follow(file)
      if (file !== undefined) file.order = order
      else if (!ledger.has(found)) continue
      knownMtimeMs = Math.max(knownMtimeMs ?? 0, found.mtimeMs)
    }
    open.order(chain)
  }

  /** Whether what is open at a file's end goes on at the beginning of the next one. */
  function isFollowed({ followedByGone }: TailFile, next: TailFile | undefined): boolean {
    return !followedByGone && next !== undefined && startsAnew(next)
  }

  function openOne(
    found: FoundFile,
    chain: Chain,
    follows: boolean,
  ): TailFile | 'later' | 'full' | 'failed' | undefined {
    if (open.count() >= filesMax && !makeWay(chain)) return 'full'
    const file = opening.open({ ...found, wanted: found.wanted || follows }, chain, options.fromEnd && first)
    if (file === 'unknown') reject(found)
    if (file === 'later' || (file === 'failed' && !options.once)) return file
    if (typeof file === 'string') return undefined
    if (open.at(inodeOf(file)) !== undefined) {
      release(file)
      return undefined
    }
    open.add(file)
    return file
  }

  /** At the bound a file that is read later gives its descriptor up for one of its log that is read before it. Returns whether one did. */
  function makeWay(chain: Chain): boolean {
    const last = chain.files.findLast(mayGoLater)
    if (last === undefined) return false
    chain.waiting++
    open.remove(last)
    return true
  }

  /** It would be opened again as it was: nothing of it was read, and it still has a name. */
  function mayGoLater(file: TailFile): boolean {
    const isUntouched = file.originId === 0 && file.startOffset === 0 && (file.carry?.length ?? 0) === 0
    const isLater = file.fd >= 0 && file.order > placeInLog && listed.has(inodeOf(file))
    return isUntouched && isLater && !file.queued && !file.unpacking
  }

  /** A recovered record whose file is gone: it ends, or goes on in the log's next file. Returns whether one may still turn up. */
  function addVanished(): boolean {
    let unsure = false
    for (const known of ledger.withCarry()) {
      const log = options.logOf(known.path)
      if (log === undefined) continue
      const chain = open.chain(log)
      if (isUnopened(known) || (isIncomplete(chain) && !isOverdue(chain, options.nowMs()))) {
        unsure = true
        open.order(chain)
        continue
      }
      ledger.take(known)
      open.add(vanishedFile(chain, known, options.nowMs()))
      open.order(chain)
    }
    return unsure
  }

  /** Listed, but not looked into yet. An open file with this inode is another one that uses it again. */
  function isUnopened({ identity }: Known): boolean {
    const found = listed.get(inodeOf(identity))
    return found !== undefined && open.at(inodeOf(identity)) === undefined && !ledger.settled(found)
  }

  /**
   * A file whose name is gone keeps its place: where its packed form stands, else behind the file that it followed. One that waited for a
   * file before it, and whose packed form was not reached in this search, goes on waiting.
   */
  function placeUnlisted({ chain, files, barrier }: Before): void {
    if (chain.torn || !reached.has(chain)) return
    let before = -1
    for (const [file, order] of files) {
      const form = packed.get(file)
      const waits = order >= barrier && hasBarrier(chain)
      if (form !== undefined) file.order = form
      else if (!listed.has(inodeOf(file))) file.order = waits ? Math.max(before, chain.barrier) : before
      before = Math.max(before, file.order)
    }
    open.order(chain)
  }

  /** A log of which nothing is listed: what was waited for may be listed again, or never. */
  function passOver(chain: Chain): void {
    const waits = isIncomplete(chain) && !isOverdue(chain, options.nowMs()) && chain.files.length > 0
    if (!waits) chain.barrier = Number.POSITIVE_INFINITY
    chain.torn = waits && chain.torn
    chain.waiting = Number(waits)
    open.order(chain)
  }

  function newestUnlisted(chain: Chain): number | undefined {
    const times = chain.files.filter((file) => !listed.has(inodeOf(file))).map((file) => file.mtimeMs)
    return times.length === 0 ? undefined : Math.max(...times)
  }

  /** The same logs, and the same open files: a search would find what the last one has found. */
  function isAsBefore(logs: readonly FoundLog[]): boolean {
    if (settled === undefined || settled.changes !== open.changes()) return false
    const before = settled.logs
    return logs.length === before.length && logs.every((log, n) => log === before[n])
  }

  return {
    apply(logs) {
      if (isAsBefore(logs)) return 0
      listed = new Map(logs.flatMap((log) => log.files.map((file) => [inodeOf(file), file])))
      const befores = [...open.chains()].map(beforeOf)
      for (const chain of open.chains())
        for (const file of chain.files) if (!listed.has(inodeOf(file))) file.live = false
      packed.clear()
      reached.clear()
      const nowMs = options.nowMs()
      if (first)
        ledger.markOvertaken(
          (path) => options.logOf(path)?.key,
          (position) => isListed(position, listed),
        )
      // What still exists unpacked is known before gzip files are asked where they come from.
      for (const log of logs) applyLog(log, false)
      for (const log of logs) if (log.files.some((file) => file.gz)) applyLog(log, true)
      for (const chain of [...open.chains()]) if (!reached.has(chain)) passOver(chain)
      for (const before of befores) placeUnlisted(before)
      if (carriesLeft) carriesLeft = addVanished()
      first = false
      ledger.forget(exists)
      let waiting = 0
      for (const chain of open.chains()) {
        waiting += chain.waiting
        chain.barredMs = isIncomplete(chain) ? (chain.barredMs ?? nowMs) : undefined
      }
      if (waiting > 0) options.park(waiting)
      settled = waiting > 0 || carriesLeft ? undefined : { logs, changes: open.changes() }
      return waiting
    },
  }
}

/** A log as the search before has left it. */
interface Before {
  readonly chain: Chain
  /** In their sequence, each with its place. */
  readonly files: readonly (readonly [TailFile, number])[]
  readonly barrier: number
}

function beforeOf(chain: Chain): Before {
  return { chain, files: chain.files.map((file) => [file, file.order] as const), barrier: chain.barrier }
}
