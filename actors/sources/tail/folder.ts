// Lists folders, and asks the system again only when a folder has changed.
import { readdirSync, statSync, type Stats } from 'node:fs'
import { systemCode } from '../../../protocol/errors.js'
import type { Conditions } from './conditions.js'

export interface Entry {
  readonly name: string
  readonly isSymlink: boolean
}

export interface Folders {
  /** The entries of a folder; none when it does not exist; the last known ones while it cannot be read. */
  list(path: string): readonly Entry[]
  /** Size, times and inode of what a path leads to; undefined when there is nothing (a condition is counted for the rest). */
  stat(path: string): Stats | undefined
  /** To be called after every search: forgets folders that were not listed in it. */
  sweep(): void
}

/** Within this time after a change another one may carry the same mtime, so the folder is read again. */
const SETTLE_MS = 2000

interface Cached {
  readonly mtimeMs: number
  readonly ino: number
  readonly readMs: number
  readonly entries: readonly Entry[]
}

export function createFolders(conditions: Conditions, now: () => number): Folders {
  let last = new Map<string, Cached>()
  let current = new Map<string, Cached>()

  function read(path: string, known: Cached | undefined): Cached | undefined {
    const stat = statSync(path)
    if (known !== undefined && known.mtimeMs === stat.mtimeMs && known.ino === stat.ino) {
      if (known.readMs - known.mtimeMs > SETTLE_MS) return known
    }
    const entries = readdirSync(path, { withFileTypes: true })
      .map((entry) => ({ name: entry.name, isSymlink: entry.isSymbolicLink() }))
      .sort((a, b) => Number(a.isSymlink) - Number(b.isSymlink) || (a.name < b.name ? -1 : 1))
    conditions.clear(path)
    return { mtimeMs: stat.mtimeMs, ino: stat.ino, readMs: now(), entries }
  }

  return {
    list(path) {
      const known = current.get(path) ?? last.get(path)
      let cached: Cached | undefined
      try {
        cached = read(path, known)
      } catch (error) {
        const code = systemCode(error) ?? 'folder'
        if (code === 'ENOENT') return []
        conditions.report(path, code, error)
        cached = known
      }
      if (cached === undefined) return []
      current.set(path, cached)
      return cached.entries
    },
    stat(path) {
      try {
        return statSync(path)
      } catch (error) {
        const code = systemCode(error) ?? 'stat'
        if (code !== 'ENOENT') conditions.report(path, code, error)
        return undefined
      }
    },
    sweep() {
      last = current
      current = new Map()
    },
  }
}
