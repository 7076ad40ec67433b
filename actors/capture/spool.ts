// Captures on disk until the store has them: each a file of its own, bounded in bytes, found again after a restart.
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCode } from '../../protocol/errors.js'
import { makeFolder } from '../../runtime/make-folder.js'
import { isCaptureKey } from './name.js'
import { writeWhole } from './stores/folder.js'

export interface SpooledCapture {
  readonly key: string
  readonly bytes: number
  /** When it was written, ms since the epoch. */
  readonly atMs: number
}

export interface Spool {
  /** What an earlier run has left behind; what it wrote by half is deleted. */
  recover(): Promise<void>
  /** As `recover`, changing nothing. */
  look(): Promise<void>
  /** Durable when it resolves. Returns the captures that had to go for it, oldest first. Rejects with the system's error. */
  add(key: string, bytes: Uint8Array): Promise<readonly SpooledCapture[]>
  read(key: string): Promise<Uint8Array | undefined>
  remove(key: string): Promise<void>
  /** Newest first. */
  waiting(): readonly SpooledCapture[]
}

/** A key's slashes can not be in a file's name, and `@` is in no key. */
const fileOf = (key: string): string => key.replaceAll('/', '@')
const keyOf = (file: string): string => file.replaceAll('@', '/')

export function createSpool(folder: string, bytesMax: number, nowMs: () => number): Spool {
  const captures = new Map<string, SpooledCapture>()
  const newestFirst = (): SpooledCapture[] => [...captures.values()].sort((a, b) => b.atMs - a.atMs)

  async function remove(key: string): Promise<void> {
    captures.delete(key)
    await rm(join(folder, fileOf(key)), { force: true })
  }

  async function look(): Promise<void> {
    for (const name of await readdir(folder)) {
      // A node that runs may have stored it meanwhile.
      const file = name.endsWith('.tar.gz')
        ? await stat(join(folder, name)).catch(() => undefined)
        : undefined
      if (file !== undefined && isCaptureKey(keyOf(name)))
        captures.set(keyOf(name), { key: keyOf(name), bytes: file.size, atMs: Math.round(file.mtimeMs) })
    }
  }

  let adding: Promise<unknown> = Promise.resolve()

  async function write(key: string, bytes: Uint8Array): Promise<SpooledCapture[]> {
    const given = await makeRoom(bytes.length)
    await writeWhole(join(folder, fileOf(key)), bytes)
    captures.set(key, { key, bytes: bytes.length, atMs: nowMs() })
    return given
  }

  /** Makes room by the oldest: the newest say most about what is going on now. */
  async function makeRoom(bytes: number): Promise<SpooledCapture[]> {
    const given: SpooledCapture[] = []
    const oldestFirst = newestFirst().reverse()
    let total = oldestFirst.reduce((sum, capture) => sum + capture.bytes, 0)
    for (const capture of oldestFirst) {
      if (total + bytes <= bytesMax) break
      total -= capture.bytes
      await remove(capture.key)
      given.push(capture)
    }
    return given
  }

  return {
    async recover() {
      makeFolder(folder, 0o700)
      for (const name of await readdir(folder))
        if (name.endsWith('.tmp')) await rm(join(folder, name), { force: true })
      await look()
    },
    look,
    add(key, bytes) {
      // One after the other: two at once would each count on the same room.
      const added = adding.then(() => write(key, bytes))
      adding = added.catch(() => undefined)
      return added
    },
    async read(key) {
      try {
        return await readFile(join(folder, fileOf(key)))
      } catch (error) {
        if (systemCode(error) === 'ENOENT') return undefined
        throw error
      }
    },
    remove,
    waiting: newestFirst,
  }
}
