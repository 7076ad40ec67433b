// Reads the dead letters of a node and takes letters out: what was sent again or purged is noted first, files shrink when that is safe.
import { createReadStream } from 'node:fs'
import { appendFile, type FileHandle, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { systemCode } from '../protocol/errors.js'
import {
  type DeadLetter,
  letterFile,
  letterFilesIn,
  nextNumber,
  soundLetter,
  syncFolder,
} from './dead-letters.js'

/*
 * <data_dir>/dlq/<folder>/<8 digits>.ndjson   letters; the newest file belongs to a running writer (dead-letters.ts)
 * <data_dir>/dlq/<folder>/removed.ids         `<frame>-<n>` a line: letters that are out though a file still holds them
 *
 * The folder is the backend's name, or `<backend>@audit` for what a repair could not send.
 */
export interface StoredLetter {
  readonly letter: DeadLetter
  /** Folder and file beneath the dead letters. */
  readonly folder: string
  readonly file: string
}

const REMOVED = 'removed.ids'

export const letterId = (letter: Pick<DeadLetter, 'frame' | 'n'>): string => `${letter.frame}-${letter.n}`

/** Every letter that is not out, oldest first by backend. One that was buried again after a crash may come twice. */
export async function* readLetters(
  root: string,
  sinceMs = Number.NEGATIVE_INFINITY,
): AsyncGenerator<StoredLetter> {
  for (const folder of await foldersOf(root)) {
    const gone = await removedOf(path.join(root, folder))
    for (const file of await filesOf(path.join(root, folder))) {
      const name = path.join(root, folder, file)
      if (((await statOf(name))?.mtimeMs ?? 0) < sinceMs) continue
      for await (const letter of lettersOf(name)) {
        const id = letterId(letter)
        if (gone.has(id)) continue
        yield { letter, folder, file }
      }
    }
  }
}

/** Lines of files that have not changed since they were counted. */
export type LineCache = Map<string, { readonly key: string; readonly lines: number }>

/** How many letters wait, and the bytes of their files, by backend. With a cache each byte is counted once. */
export async function letterFigures(
  root: string,
  cache: LineCache = new Map(),
): Promise<Map<string, { letters: number; bytes: number }>> {
  const figures = new Map<string, { letters: number; bytes: number }>()
  const seen = new Set<string>()
  for (const folder of await foldersOf(root)) {
    // The audit's own are in `@audit`.
    const backend = folder.replace(/(?<=.)@.*$/, '')
    const known = figures.get(backend) ?? { letters: 0, bytes: 0 }
    for (const file of await filesOf(path.join(root, folder))) {
      const name = path.join(root, folder, file)
      const found = await statOf(name)
      if (found === undefined) continue
      seen.add(name)
      const key = `${found.size} ${found.mtimeMs}`
      const cached = cache.get(name)
      const lines = cached?.key === key ? cached.lines : await linesIn(name)
      cache.set(name, { key, lines })
      known.bytes += found.size
      known.letters += lines
    }
    known.letters = Math.max(0, known.letters - (await removedOf(path.join(root, folder))).size)
    figures.set(backend, known)
  }
  for (const name of cache.keys()) if (!seen.has(name)) cache.delete(name)
  return figures
}

/** Takes letters out: durable when it resolves. Under the lock of letter-lock.ts, as all that follows. */
export async function removeLetters(
  root: string,
  letters: readonly { readonly letter: Pick<DeadLetter, 'frame' | 'n'>; readonly folder: string }[],
): Promise<void> {
  const byFolder = new Map<string, string[]>()
  for (const { letter, folder } of letters) {
    const ids = byFolder.get(folder)
    if (ids === undefined) byFolder.set(folder, [letterId(letter)])
    else ids.push(letterId(letter))
  }
  for (const [folder, ids] of byFolder) {
    await noteRemoved(path.join(root, folder), ids)
    await compact(path.join(root, folder))
  }
}

/** These are out: durable when it resolves. Files shrink with the next compaction. */
export async function noteRemoved(folder: string, ids: readonly string[]): Promise<void> {
  if (ids.length > 0)
    await appendFile(path.join(folder, REMOVED), ids.map((id) => `${id}\n`).join(''), { flush: true })
}

/** Of a file that is gone: their ids may come again. */
export async function forgetRemoved(folder: string, ids: ReadonlySet<string>): Promise<void> {
  const gone = await removedOf(folder)
  const left = [...gone].filter((id) => !ids.has(id))
  if (left.length === 0) await rm(path.join(folder, REMOVED), { force: true })
  else if (left.length < gone.size)
    await replace(path.join(folder, REMOVED), left.map((id) => `${id}\n`).join(''))
}

/**
 * Drops removed letters from files, and from the list what no file holds any more. The newest file stays as it is, since a writer appends
 * to it: where it holds removed letters, the next one is begun first.
 */
export async function compact(folder: string): Promise<void> {
  const gone = await removedOf(folder)
  await handOver(folder, gone)
  const files = await filesOf(folder)
  const left = new Set<string>()
  for (const file of files.slice(0, -1)) {
    const name = path.join(folder, file)
    const kept: string[] = []
    let dropped = 0
    for await (const letter of lettersOf(name)) {
      if (gone.has(letterId(letter))) dropped++
      else kept.push(JSON.stringify(letter))
    }
    if (dropped === 0) continue
    if (kept.length === 0) await rm(name)
    else await replace(name, `${kept.join('\n')}\n`)
  }
  await syncFolder(folder)
  const newest = files.at(-1)
  if (newest !== undefined)
    for await (const letter of lettersOf(path.join(folder, newest)))
      if (gone.has(letterId(letter))) left.add(letterId(letter))
  const list = path.join(folder, REMOVED)
  if (left.size === 0) await rm(list, { force: true })
  else if (left.size < gone.size) await replace(list, [...left].map((id) => `${id}\n`).join(''))
}

/**
 * A writer needs no lock: after each append it looks whether there is a newer file, and if so writes the same into that one. So what this
 * process does not read in the present file, which it does after it has begun the next, is in the next.
 */
async function handOver(folder: string, gone: ReadonlySet<string>): Promise<void> {
  const found = await letterFilesIn(folder)
  const newest = found.files.at(-1)
  if (newest === undefined || !(await holdsAny(path.join(folder, newest), gone))) return
  const { uid, gid } = await stat(path.join(folder, newest))
  const handle = await open(path.join(folder, letterFile(nextNumber(found))), 'a')
  try {
    // The node's user has to write it.
    if (process.getuid?.() === 0) await handle.chown(uid, gid)
  } finally {
    await handle.close()
  }
  await syncFolder(folder)
}

async function holdsAny(file: string, ids: ReadonlySet<string>): Promise<boolean> {
  for await (const letter of lettersOf(file)) if (ids.has(letterId(letter))) return true
  return false
}

/** A file that is gone meanwhile was sent again, purged, or put into the stream. */
async function* lettersOf(file: string): AsyncGenerator<DeadLetter> {
  let handle: FileHandle
  try {
    handle = await open(file, 'r')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return
    throw error
  }
  for await (const line of createInterface({ input: handle.createReadStream(), crlfDelay: Infinity })) {
    const letter = soundLetter(line)
    if (letter !== undefined) yield letter
  }
}

async function linesIn(file: string): Promise<number> {
  let lines = 0
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>)
    for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, at + 1)) lines++
  return lines
}

/** One for each backend that has ever refused a record. */
export async function foldersOf(root: string): Promise<string[]> {
  try {
    const entries = await readdir(root, { withFileTypes: true })
    return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).sort()
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  }
}

/** Oldest first; a running writer appends to the last one. */
export async function filesOf(folder: string): Promise<readonly string[]> {
  return (await letterFilesIn(folder)).files
}

/** What is named like a file of letters and is none. */
export async function strangersOf(root: string): Promise<string[]> {
  const found: string[] = []
  for (const folder of await foldersOf(root))
    for (const name of (await letterFilesIn(path.join(root, folder))).strangers)
      found.push(path.join(root, folder, name))
  return found
}

/** Ids of the letters that are out. */
export async function removedOf(folder: string): Promise<Set<string>> {
  try {
    return new Set((await readFile(path.join(folder, REMOVED), 'utf8')).split('\n').filter(Boolean))
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return new Set()
    throw error
  }
}

async function statOf(file: string): Promise<{ mtimeMs: number; size: number } | undefined> {
  return stat(file).catch(() => undefined)
}

async function replace(file: string, text: string): Promise<void> {
  const temporary = `${file}.new`
  const handle = await open(temporary, 'w')
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(temporary, file)
}
