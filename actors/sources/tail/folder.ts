// Lists folders and looks at their files, and asks the system again only when a folder has changed.
import { readdirSync, statSync, type Stats } from 'node:fs'
import { dirname } from 'node:path'
import { systemCode } from '../../../protocol/errors.js'
import type { Conditions } from './conditions.js'

export interface Entry {
  readonly name: string
  readonly isSymlink: boolean
}

export interface Folders {
  /** The entries of a folder; none when it does not exist; the last known ones while it cannot be read. The same array while nothing has changed. */
  list(path: string): readonly Entry[]
  /**
   * Size, times and inode of what a path leads to; undefined when there is nothing (a condition is counted for the rest).
   * In a folder that has not changed no name leads to another file, so there sizes and times may be some searches old.
   */
  stat(path: string): Stats | undefined
  /**
   * Whether the files that were looked at are those of the listing. A rename in between would show a new live file without the
   * one that it follows. When not, the folder is read again at the next `list`.
   */
  isConsistent(path: string): boolean
  /** Whether the present listing is an old one, because the folder cannot be read now. */
  isStale(path: string): boolean
  /**
   * What was made of a folder and its files, as long as both are what they were: while the folder has not changed, it is made anew only
   * every STAT_SEARCHES, with what there was before, each folder in its own turn.
   */
  kept<T extends object>(path: string, make: (before: T | undefined) => T): T
  /** To be called before every search: what was not asked for in the last one is forgotten. */
  begin(): void
}

/**
 * Within this time after a change another one may carry the same mtime, so the folder is read again. It counts from when the mtime was
 * first seen, by the monotonic clock: the wall clock may be ahead of the one that the file system writes down.
 */
const SETTLE_MS = 2000
/** Searches after which a file is looked at even in a folder that has not changed. */
const STAT_SEARCHES = 10

/** A folder without a change for this long is asked about only every third search, each in its own turn. */
const QUIET_MS = 60_000
const QUIET_SEARCHES = 3

interface Listing {
  /** Spreads quiet folders over the searches. */
  readonly phase: number
  readonly mtimeMs: number
  readonly ino: number
  /** When this mtime was first seen, and when the entries were read; monotonic. */
  readonly sinceMs: number
  readonly readMs: number
  readonly entries: readonly Entry[]
  readonly symlinks: ReadonlySet<string>
}

interface Looked {
  readonly stat: Stats
  readonly listing: Listing | undefined
  readonly search: number
}

interface Kept {
  readonly made: object
  readonly listing: Listing | undefined
}

/** `nowMs` is monotonic. */
export function createFolders(conditions: Conditions, nowMs: () => number): Folders {
  let last = new Map<string, Listing>()
  let current = new Map<string, Listing>()
  let lastLooked = new Map<string, Looked>()
  let looked = new Map<string, Looked>()
  let lastKept = new Map<string, Kept>()
  let kept = new Map<string, Kept>()
  /** Folders of files that were asked about just now. */
  let touched = new Set<string>()
  /** Folders with a listed name that was gone when it was looked at. */
  const gone = new Set<string>()
  /** Folders that could not be read in this search. */
  let stale = new Set<string>()
  /** Folders that have changed while their files were looked at. */
  const changing = new Set<string>()
  let phases = 0
  let search = 0

  function read(path: string): Listing {
    const known = last.get(path)
    if (known !== undefined && !changing.has(path) && isQuiet(known)) return known
    changing.delete(path)
    const stat = statSync(path)
    const isUnchanged = known !== undefined && known.mtimeMs === stat.mtimeMs && known.ino === stat.ino
    if (isUnchanged && known.readMs - known.sinceMs > SETTLE_MS) return known
    const readMs = nowMs()
    const entries = readdirSync(path, { withFileTypes: true })
      .map((entry) => ({ name: entry.name, isSymlink: entry.isSymbolicLink() }))
      // A folder and a symlink to it are the same to follow: the folder's own name goes first.
      .sort((a, b) => Number(a.isSymlink) - Number(b.isSymlink) || (a.name < b.name ? -1 : 1))
    conditions.clear(path)
    const symlinks = new Set(entries.filter(({ isSymlink }) => isSymlink).map(({ name }) => name))
    const sinceMs = isUnchanged ? known.sinceMs : readMs
    return { phase: phases++, mtimeMs: stat.mtimeMs, ino: stat.ino, sinceMs, readMs, entries, symlinks }
  }

  function isQuiet({ sinceMs, phase }: Listing): boolean {
    return nowMs() - sinceMs > QUIET_MS && (search + phase) % QUIET_SEARCHES !== 0
  }

  function listing(path: string): Listing | undefined {
    const known = current.get(path)
    if (known !== undefined) return known
    let fresh: Listing | undefined
    try {
      fresh = read(path)
    } catch (error) {
      const code = systemCode(error) ?? 'folder'
      if (code === 'ENOENT') return undefined
      conditions.report(path, code, error)
      stale.add(path)
      fresh = last.get(path)
    }
    if (fresh !== undefined) current.set(path, fresh)
    return fresh
  }

  /** An mtime is only as fine as the kernel's tick: while it is recent, the names themselves are compared. */
  function hasSameNames(path: string, known: Listing | undefined): boolean {
    if (known === undefined || nowMs() - known.sinceMs > SETTLE_MS) return true
    try {
      const names = new Set(readdirSync(path))
      return names.size === known.entries.length && known.entries.every(({ name }) => names.has(name))
    } catch (error) {
      // Gone by now: certainly not as it was.
      if (systemCode(error) === undefined) throw error
      return false
    }
  }

  /** A name in an unchanged folder that is no symlink: it leads to the file that it led to. */
  function isStill(path: string, folder: Listing | undefined, before: Looked | undefined): before is Looked {
    if (before === undefined || folder === undefined || before.listing !== folder) return false
    return (
      search - before.search < STAT_SEARCHES && !folder.symlinks.has(path.slice(path.lastIndexOf('/') + 1))
    )
  }

  function isKept(folder: Listing | undefined, { listing: before }: Kept): boolean {
    if (folder === undefined || before !== folder || folder.symlinks.size > 0) return false
    return (search + folder.phase) % STAT_SEARCHES !== 0
  }

  return {
    list: (path) => listing(path)?.entries ?? [],
    stat(path) {
      const folderPath = dirname(path)
      const folder = listing(folderPath)
      const before = lastLooked.get(path)
      if (isStill(path, folder, before)) {
        looked.set(path, before)
        return before.stat
      }
      touched.add(folderPath)
      try {
        const stat = statSync(path, { throwIfNoEntry: false })
        if (stat !== undefined) looked.set(path, { stat, listing: folder, search })
        // A folder's mtime is only as fine as the kernel's tick: a listed name that is gone tells of a change as well.
        else if (folder?.entries.some(({ name }) => path.endsWith(`/${name}`))) gone.add(folderPath)
        return stat
      } catch (error) {
        conditions.report(path, systemCode(error) ?? 'stat', error)
        return undefined
      }
    },
    isConsistent(path) {
      if (!touched.delete(path)) return true
      const known = current.get(path)
      const mtimeMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs
      if (!gone.delete(path) && known?.mtimeMs === mtimeMs && hasSameNames(path, known)) return true
      current.delete(path)
      changing.add(path)
      return false
    },
    isStale: (path) => stale.has(path),
    kept<T extends object>(path: string, make: (before: T | undefined) => T): T {
      const folder = listing(path)
      const before = lastKept.get(path)
      if (before !== undefined && isKept(folder, before)) {
        kept.set(path, before)
        return before.made as T
      }
      const made = make(before?.made as T | undefined)
      // Read again in the meantime, or torn: then there is another listing now, or none.
      kept.set(path, { made, listing: current.get(path) })
      return made
    },
    begin() {
      stale = new Set()
      last = current
      current = new Map()
      lastLooked = looked
      looked = new Map()
      lastKept = kept
      kept = new Map()
      touched = new Set()
      search++
    },
  }
}
