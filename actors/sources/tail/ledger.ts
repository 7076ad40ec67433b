// The ledger: how far files were read that are not open now: recovered positions, and files that were finished.
import type { FileIdentity, FilePosition } from '../../../protocol/positions.js'
import type { FoundFile } from './found.js'
import { headMatches, inodeOf } from './identity.js'
import { folderOf } from './listed.js'

export interface Known extends Omit<FilePosition, 'kind' | 'source' | 'done'> {
  readonly done: boolean
  /**
   * A later file of the log was read after this position was written, so this one was read to its end: the frame that told so is damaged.
   * What is read of it now is read again, and the record begun at its end does not go on in what is read next.
   */
  readonly overtaken?: boolean
  /** By a file that was not listed any more: what followed this one is nowhere. */
  readonly followedByGone?: boolean
  /** Size and time of the last change when it was last read: while they stay, there is nothing new in it. */
  readonly size?: number
  readonly mtimeMs?: number
}

/** Finished files remembered after they were last seen in a folder; the oldest go first. */
const GONE_MAX = 10_000

export interface Ledger {
  /** Nothing has changed in the file since it was read to its end. */
  settled(file: FoundFile): boolean
  /** There is something about this inode, so its beginning is worth a look. */
  has(file: FoundFile): boolean
  /** To be called once logs can be told, and before anything is matched. */
  markOvertaken(
    logOf: (path: string) => string | undefined,
    isListed: (position: FilePosition) => boolean,
  ): void
  /** The position of the file with this inode and beginning. */
  match(file: FoundFile, head: Uint8Array): Known | undefined
  /** The position of the file that this gzip file was made of; files that still exist unpacked are no candidates. */
  matchGz(file: FoundFile, head: Uint8Array, at: (inode: string) => FoundFile | undefined): Known | undefined
  remember(known: Known, inode: string): void
  take(known: Known): void
  /** Positions with a record begun whose file is nowhere. */
  withCarry(): Known[]
  /** Forgets the oldest finished files that no folder holds any more. */
  forget(exists: (inode: string) => boolean): void
}

/** @param positions in the order in which they were written */
export function createLedger(
  positions: readonly FilePosition[],
  onInvalid: (position: FilePosition) => void,
): Ledger {
  /** By inode; several where an inode was reused. */
  const known = new Map<string, Known[]>()

  function add(inode: string, entry: Known): void {
    const others = (known.get(inode) ?? []).filter((other) => other.key !== entry.key)
    known.delete(inode)
    known.set(inode, [...others, entry])
  }

  for (const position of positions) {
    if (!valid(position)) onInvalid(position)
    else add(inodeOf(position.identity), { ...position, done: position.done === true })
  }

  function* entries(): Generator<[string, Known]> {
    for (const [inode, list] of known) for (const entry of list) yield [inode, entry]
  }

  return {
    settled: (file) =>
      (known.get(inodeOf(file)) ?? []).some(
        (entry) => entry.size === file.size && entry.mtimeMs === file.mtimeMs,
      ),
    has: (file) => known.has(inodeOf(file)),
    markOvertaken(logOf, isListed) {
      /** By log, those that were met. */
      const newer = new Map<string | undefined, FilePosition[]>()
      const overtaken = new Map<string, { overtaken: boolean; followedByGone: boolean }>()
      for (const position of positions.toReversed()) {
        const log = logOf(position.path)
        const others = newer.get(log) ?? []
        // Only of a damaged frame's: files are looked into for the answer.
        const isOpen = position.done !== true || (position.carry?.length ?? 0) > 0
        overtaken.set(position.key, {
          overtaken: others.length > 0,
          followedByGone: isOpen && others.some((other) => !isListed(other)),
        })
        if (position.offset > 0) newer.set(log, [...others, position])
      }
      for (const [inode, list] of known)
        known.set(
          inode,
          list.map((entry) => ({ ...entry, ...overtaken.get(entry.key) })),
        )
    },
    match(file, head) {
      return (known.get(inodeOf(file)) ?? [])
        .filter((entry) => entry.identity.headBytes > 0 && headMatches(entry.identity, head))
        .sort((a, b) => b.identity.headBytes - a.identity.headBytes)[0]
    },
    matchGz(file, head, at) {
      const folder = folderOf(file.path)
      const exists = (inode: string, entry: Known): boolean => {
        const found = at(inode)
        // The inode alone says nothing: it may have been used again.
        return found !== undefined && found.size === entry.size && found.mtimeMs === entry.mtimeMs
      }
      const matching: Known[] = []
      for (const [inode, entry] of entries()) {
        if (entry.identity.headBytes === 0 || folderOf(entry.path) !== folder || exists(inode, entry))
          continue
        if (headMatches(entry.identity, head)) matching.push(entry)
      }
      return matching.find((entry) => `${entry.path}.gz` === file.path) ?? matching[0]
    },
    remember: (entry, inode) => add(inode, entry),
    take(entry) {
      for (const [inode, list] of known) {
        const others = list.filter((other) => other !== entry)
        if (others.length === list.length) continue
        if (others.length > 0) known.set(inode, others)
        else known.delete(inode)
        return
      }
    },
    withCarry: () =>
      [...entries()].map(([, entry]) => entry).filter((entry) => (entry.carry?.length ?? 0) > 0),
    forget(exists) {
      const gone = [...known].filter(([inode, list]) => !exists(inode) && list.every((entry) => entry.done))
      for (const [inode] of gone.slice(0, Math.max(0, gone.length - GONE_MAX))) known.delete(inode)
    },
  }
}

/** A damaged position is worse than none: it would skip lines. */
function valid(position: FilePosition): boolean {
  const identity: FileIdentity | undefined = position.identity
  return (
    Number.isSafeInteger(position.offset) &&
    position.offset >= 0 &&
    typeof position.path === 'string' &&
    typeof position.key === 'string' &&
    identity !== undefined &&
    Number.isInteger(identity.headBytes) &&
    identity.headBytes >= 0 &&
    typeof identity.headHash === 'string'
  )
}
