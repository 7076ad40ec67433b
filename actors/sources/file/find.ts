// Finds the files that the globs of a file source name, and their rotations beside them.
import type { Stats } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { glob, isDynamicPattern } from 'tinyglobby'
import type { Conditions } from '../tail/conditions.js'
import type { Entry, Folders } from '../tail/folder.js'
import type { FoundFile, FoundLog } from '../tail/found.js'
import { byAge, rotatedNames, type RotatedName } from './rotated-name.js'

export interface FileFindOptions {
  readonly source: string
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  readonly folders: Folders
  readonly conditions: Conditions
}

export interface FileFinder {
  find(): Promise<FoundLog[]>
  /** The log that a path belongs to, by the live files seen so far. */
  logOf(path: string): FoundLog
}

/** Readings of folders that change all the time; of those that still do, the last one is handed on as torn. */
const TRIES_MAX = 3

interface Candidate {
  readonly path: string
  readonly stat: Stats
  readonly wanted: boolean
  readonly rotated?: RotatedName
}

export function createFileFinder(options: FileFindOptions): FileFinder {
  const { folders, conditions } = options
  const include = [...options.include]
  /** Paths followed as live files: their rotations belong to them even while no live file is there. */
  let followed = new Set<string>()

  /** Where no wildcard stands for a folder, unchanged folders mean unchanged matches. */
  const flat = include.every((pattern) => !isDynamicPattern(dirname(pattern)))
  let lastListings: (readonly Entry[])[] = []
  let lastMatches = new Set<string>()

  async function matches(): Promise<Set<string>> {
    const listings = flat ? include.map((pattern) => folders.list(dirname(pattern))) : []
    const isUnchanged = flat && listings.every((entries, n) => entries === lastListings[n])
    if (!isUnchanged) lastMatches = await search()
    lastListings = listings
    return lastMatches
  }

  async function search(): Promise<Set<string>> {
    const paths = await glob(include, {
      ignore: [...options.exclude],
      absolute: true,
      onlyFiles: true,
      dot: true,
      expandDirectories: false,
    })
    // A path without wildcards is asked for by name: when it is a folder or cannot be read, that is worth a condition.
    const literal = include.filter((pattern) => !pattern.startsWith('!') && !isDynamicPattern(pattern))
    return new Set([...paths, ...literal.map((path) => resolve(path))].sort())
  }

  function liveOf(path: string, wanted: ReadonlySet<string>): { live: string; rotated?: RotatedName } {
    for (const rotated of rotatedNames(basename(path))) {
      const live = join(dirname(path), rotated.base)
      if (wanted.has(live) || followed.has(live)) return { live, rotated }
    }
    return { live: path }
  }

  function add(byLive: Map<string, Candidate[]>, path: string, wanted: ReadonlySet<string>): void {
    const stat = folders.stat(path)
    if (stat === undefined) return
    if (!stat.isFile()) {
      if (wanted.has(path)) conditions.report(path, stat.isDirectory() ? 'EISDIR' : 'not_a_file')
      return
    }
    const { live, rotated } = liveOf(path, wanted)
    const candidates = byLive.get(live) ?? []
    candidates.push({ path, stat, wanted: wanted.has(path), ...(rotated === undefined ? {} : { rotated }) })
    byLive.set(live, candidates)
  }

  /** Rotations that no glob names: they are read when they follow a file that was. */
  function addSiblings(byLive: Map<string, Candidate[]>, wanted: ReadonlySet<string>): void {
    const lives = new Set([...byLive.keys(), ...followed])
    const names = new Map<string, string[]>()
    for (const live of lives) names.set(dirname(live), [])
    for (const folder of names.keys()) {
      for (const { name } of folders.list(folder)) {
        const path = join(folder, name)
        if (wanted.has(path)) continue
        if (rotatedNames(name).some(({ base }) => lives.has(join(folder, base)))) add(byLive, path, wanted)
      }
    }
  }

  async function read(): Promise<Map<string, Candidate[]>> {
    const wanted = await matches()
    const byLive = new Map<string, Candidate[]>()
    for (const path of wanted) add(byLive, path, wanted)
    addSiblings(byLive, wanted)
    return byLive
  }

  return {
    async find() {
      let logs: FoundLog[] = []
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        const before = new Map(logs.map((log) => [log.key, log]))
        folders.begin()
        const byLive = await read()
        const folderPaths = new Set([...byLive.values()].flat().map(({ path }) => dirname(path)))
        const changing = new Set([...folderPaths].filter((path) => !folders.isConsistent(path)))
        logs = [...byLive].map(([live, candidates]) => {
          const log = { ...logAt(live), files: filesOf(candidates) }
          if (!changing.has(dirname(live))) return log
          // Others come and go in a busy folder: what counts is whether this log's own files are the same twice.
          return { ...log, torn: folders.isStale(dirname(live)) || !isSame(log, before.get(live)) }
        })
        if (!logs.some(({ torn }) => torn)) break
      }
      followed = new Set(logs.map(({ livePath }) => livePath))
      return logs
    },
    logOf: (path) => logAt(liveOf(path, followed).live),
  }

  function logAt(livePath: string): FoundLog {
    return { key: livePath, livePath, files: [] }
  }
}

function isSame(log: FoundLog, before: FoundLog | undefined): boolean {
  if (before?.files.length !== log.files.length) return false
  return log.files.every(({ path, ino }, n) => path === before.files[n]?.path && ino === before.files[n]?.ino)
}

/** Oldest first. A gzip file counts only when the file it was made of is gone. */
function filesOf(candidates: readonly Candidate[]): FoundFile[] {
  const paths = new Set(candidates.map(({ path }) => path))
  return candidates
    .filter(({ path }) => !(path.endsWith('.gz') && paths.has(path.slice(0, -3))))
    .sort(byWriting)
    .map(({ path, stat, wanted, rotated }) => ({
      path,
      dev: stat.dev,
      ino: stat.ino,
      size: stat.size,
      mtimeMs: stat.mtimeMs,
      live: rotated === undefined && !path.endsWith('.gz'),
      gz: path.endsWith('.gz'),
      wanted,
    }))
}

function byWriting(a: Candidate, b: Candidate): number {
  if (a.rotated === undefined || b.rotated === undefined) {
    return Number(a.rotated === undefined) - Number(b.rotated === undefined)
  }
  return byAge(a.rotated, b.rotated) || a.stat.mtimeMs - b.stat.mtimeMs
}
