// The few file operations that the journal needs, behind an interface so that tests can make each of them fail.
import fs from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { makeFolder } from '../make-folder.js'

export interface WalFile {
  /** Writes the parts back to back at `position`; may write fewer bytes than given. Returns the bytes written. */
  write(parts: readonly Uint8Array[], position: number): Promise<number>
  /** Reads into the whole of `into` from `position`; fewer bytes only at the file's end. */
  read(into: Uint8Array, position: number): Promise<number>
  datasync(): Promise<void>
  truncate(bytes: number): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
}

/** All of these reject with the system's error (its `code` is ENOSPC, EIO, …). */
export interface WalFiles {
  /** read = an existing file; write = an existing file, for reading and writing; create = must not exist yet. */
  open(path: string, how: 'read' | 'write' | 'create'): Promise<WalFile>
  list(folder: string): Promise<string[]>
  makeFolder(folder: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  /** Makes created, renamed and removed names durable. */
  syncFolder(folder: string): Promise<void>
}

const FLAGS = { read: 'r', write: 'r+', create: 'wx+' } as const
/** Linux takes at most 1,024 parts in one writev (IOV_MAX, limits.h). */
const PARTS_MAX = 1024
const FILE_MODE = 0o640
/** Of an open file, for all its reads together, about ten seconds: after that what can not be read counts as gone. */
const READ_TRIES_MAX = 13
const READ_WAIT_MS = 100
const READ_WAIT_MAX_MS = 1000

const closeFd = promisify(fs.close)
const datasyncFd = promisify(fs.fdatasync)
const syncFd = promisify(fs.fsync)
const truncateFd = promisify(fs.ftruncate)

function writeFd(fd: number, parts: readonly Uint8Array[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.writev(fd, parts.slice(0, PARTS_MAX), position, (error, bytes) =>
      error === null ? resolve(bytes) : reject(error),
    )
  })
}

function readFd(fd: number, into: Uint8Array, from: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, into, from, into.length - from, position, (error, bytes) =>
      error === null ? resolve(bytes) : reject(error),
    )
  })
}

/**
 * Reads that fail are tried again: a controller that resets, or a path of a network disk that is switched, fails for seconds, and a
 * frame that is taken for unreadable is given up for good.
 */
function patientRead(fd: number): (into: Uint8Array, from: number, position: number) => Promise<number> {
  let triesLeft = READ_TRIES_MAX
  let waitMs = READ_WAIT_MS
  return async (into, from, position) => {
    for (;;) {
      try {
        return await readFd(fd, into, from, position)
      } catch (error) {
        if (triesLeft-- <= 0) throw error
        await sleep(waitMs)
        waitMs = Math.min(READ_WAIT_MAX_MS, waitMs * 2)
      }
    }
  }
}

function openedFile(fd: number): WalFile {
  const readAt = patientRead(fd)
  return {
    write: (parts, position) => writeFd(fd, parts, position),
    async read(into, position) {
      let got = 0
      while (got < into.length) {
        const bytes = await readAt(into, got, position + got)
        if (bytes === 0) break
        got += bytes
      }
      return got
    },
    datasync: () => datasyncFd(fd),
    truncate: (bytes) => truncateFd(fd, bytes),
    size: async () => (await promisify(fs.fstat)(fd)).size,
    close: () => closeFd(fd),
  }
}

export const nodeFiles: WalFiles = {
  async open(path, how) {
    return openedFile(await promisify(fs.open)(path, FLAGS[how], FILE_MODE))
  },
  list: (folder) => fs.promises.readdir(folder),
  async makeFolder(folder) {
    makeFolder(folder, 0o750)
  },
  rename: (from, to) => fs.promises.rename(from, to),
  remove: (path) => fs.promises.unlink(path),
  async syncFolder(folder) {
    const fd = await promisify(fs.open)(folder, 'r')
    try {
      await syncFd(fd)
    } finally {
      await closeFd(fd)
    }
  },
}

/** Writes all of `parts` at `position`, going on after short writes. Rejects with ENOSPC when the system takes nothing more. */
export async function writeAll(
  file: WalFile,
  parts: readonly Uint8Array[],
  position: number,
): Promise<number> {
  let rest = parts.filter((part) => part.length > 0)
  let at = position
  while (rest.length > 0) {
    let written = await file.write(rest, at)
    if (written <= 0) throw Object.assign(new Error('ENOSPC: write took no bytes'), { code: 'ENOSPC' })
    at += written
    let whole = 0
    while (whole < rest.length && written >= (rest[whole] as Uint8Array).length)
      written -= (rest[whole++] as Uint8Array).length
    rest = rest.slice(whole)
    if (written > 0) rest[0] = (rest[0] as Uint8Array).subarray(written)
  }
  return at - position
}

/** The whole of a small file; undefined when it does not exist. Rejects when it is larger than `bytesMax`. */
export async function readSmall(
  files: WalFiles,
  path: string,
  bytesMax: number,
): Promise<Uint8Array | undefined> {
  let file: WalFile
  try {
    file = await files.open(path, 'read')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  try {
    const size = await file.size()
    if (size > bytesMax)
      throw Object.assign(new Error(`${path}: ${size} bytes, more than ${bytesMax}`), { code: 'EFBIG' })
    const bytes = new Uint8Array(size)
    return bytes.subarray(0, await file.read(bytes, 0))
  } finally {
    await file.close()
  }
}

/** Replaces a file so that after a crash either the old or the new content is there, whole. The folder's sync is the caller's. */
export async function replaceFile(
  files: WalFiles,
  path: string,
  bytes: readonly Uint8Array[],
): Promise<void> {
  const temporary = `${path}.new`
  // Left by a crash, or poisoned by a failed fsync: a fresh inode is the only one whose pages can be trusted.
  await files.remove(temporary).catch(() => undefined)
  const file = await files.open(temporary, 'create')
  try {
    await writeAll(file, bytes, 0)
    await file.datasync()
  } finally {
    await file.close()
  }
  await files.rename(temporary, path)
}
