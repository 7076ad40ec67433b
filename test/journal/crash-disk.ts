// A disk in memory that forgets what was not synced: crashes at a chosen operation, fails at a chosen one, drops pages on a failed fsync.
import type { WalFile, WalFiles } from '../../runtime/wal/files.js'

interface Inode {
  current: Uint8Array
  /** What is on the platter. */
  durable: Uint8Array
  /** Bytes from here on were dropped by a failed fsync: the kernel calls them clean, a later fsync does not write them. */
  droppedFrom: number | undefined
}

type Names = Map<string, Inode>

export interface Trouble {
  /** The number of the operation (from 0) at which it happens. */
  readonly at: number
  /** crash = the machine stops; a code = this one operation fails (a write after half of its bytes). */
  readonly what: 'crash' | 'EIO' | 'ENOSPC'
}

export interface CrashDisk {
  readonly files: WalFiles
  /** Operations so far. */
  operations(): number
  crashed(): boolean
  /** The disk after power is back: unsynced names are kept up to a random point, unsynced bytes page by page at random. */
  restart(random: () => number, trouble?: Trouble): CrashDisk
}

const PAGE_BYTES = 512

function fault(code: string): Error {
  return Object.assign(new Error(`${code}: made by the test`), { code })
}

export function createCrashDisk(names: Names = new Map(), trouble?: Trouble): CrashDisk {
  const live: Names = new Map(names)
  let durable: Names = new Map(names)
  let pending: ((names: Names) => void)[] = []
  let operations = 0
  let crashed = false

  /** Counts an operation; returns whether it must fail. A crash never returns. */
  function step(): 'fails' | 'works' {
    if (crashed) throw fault('ECRASHED')
    const due = trouble !== undefined && operations++ === trouble.at
    if (due && trouble.what === 'crash') crashed = true
    return due ? 'fails' : 'works'
  }
  const failure = () => fault(trouble?.what === 'crash' ? 'ECRASHED' : (trouble?.what ?? 'EIO'))

  function rename(change: (names: Names) => void): void {
    change(live)
    pending.push(change)
  }

  function resized(bytes: Uint8Array, length: number): Uint8Array {
    const fresh = new Uint8Array(length)
    fresh.set(bytes.subarray(0, length))
    return fresh
  }

  function opened(inode: Inode): WalFile {
    return {
      async write(parts, position) {
        const fails = step() === 'fails'
        const all = Buffer.concat(parts)
        const taken = fails ? all.subarray(0, all.length >> 1) : all
        inode.current = resized(inode.current, Math.max(inode.current.length, position + taken.length))
        inode.current.set(taken, position)
        if (fails) throw failure()
        return all.length
      },
      async read(into, position) {
        if (crashed) throw fault('ECRASHED')
        const got = inode.current.subarray(position, position + into.length)
        into.set(got)
        return got.length
      },
      async datasync() {
        if (step() === 'fails') {
          if (!crashed)
            inode.droppedFrom = Math.min(inode.droppedFrom ?? Number.POSITIVE_INFINITY, inode.durable.length)
          throw failure()
        }
        const kept = inode.droppedFrom
        const before = inode.durable
        inode.durable = new Uint8Array(inode.current)
        if (kept !== undefined) inode.durable.fill(0, kept).set(before.subarray(kept), kept)
      },
      async truncate(bytes) {
        if (step() === 'fails') throw failure()
        inode.current = resized(inode.current, bytes)
        if (inode.droppedFrom !== undefined && inode.droppedFrom >= bytes) inode.droppedFrom = undefined
      },
      size: async () => inode.current.length,
      close: async () => undefined,
    }
  }

  function find(path: string): Inode {
    const inode = live.get(path)
    if (inode === undefined) throw fault('ENOENT')
    return inode
  }

  const files: WalFiles = {
    async open(path, how) {
      if (how !== 'create') {
        if (crashed) throw fault('ECRASHED')
        return opened(find(path))
      }
      if (step() === 'fails') throw failure()
      if (live.has(path)) throw fault('EEXIST')
      const inode: Inode = { current: new Uint8Array(0), durable: new Uint8Array(0), droppedFrom: undefined }
      rename((all) => void all.set(path, inode))
      return opened(inode)
    },
    async list(folder) {
      if (crashed) throw fault('ECRASHED')
      return [...live.keys()]
        .filter((path) => path.startsWith(`${folder}/`))
        .map((path) => path.slice(folder.length + 1))
    },
    makeFolder: async () => undefined,
    async rename(from, to) {
      if (step() === 'fails') throw failure()
      const inode = find(from)
      rename((all) => {
        all.delete(from)
        all.set(to, inode)
      })
    },
    async remove(path) {
      find(path)
      if (step() === 'fails') throw failure()
      rename((all) => void all.delete(path))
    },
    async syncFolder() {
      if (step() === 'fails') throw failure()
      durable = new Map(live)
      pending = []
    },
  }

  /** What a file holds after the crash: its durable bytes, and of the rest some pages. */
  function survivor(inode: Inode, random: () => number): Inode {
    const lengths = [inode.current.length, inode.durable.length].sort((a, b) => a - b) as [number, number]
    const length = lengths[0] + Math.floor(random() * (lengths[1] - lengths[0] + 1))
    const bytes = new Uint8Array(length)
    bytes.set(inode.durable.subarray(0, length))
    const from = inode.droppedFrom ?? Number.POSITIVE_INFINITY
    for (let at = 0; at < length; at += PAGE_BYTES) {
      const page = inode.current.subarray(at, Math.min(at + PAGE_BYTES, length))
      if (at < from && random() < 0.7) bytes.set(page, at)
    }
    return { current: bytes, durable: new Uint8Array(bytes), droppedFrom: undefined }
  }

  return {
    files,
    operations: () => operations,
    crashed: () => crashed,
    restart(random, next) {
      const after: Names = new Map(durable)
      const keep = Math.floor(random() * (pending.length + 1))
      for (const change of pending.slice(0, keep)) change(after)
      const made = new Map<Inode, Inode>()
      for (const [path, inode] of after) {
        const kept = made.get(inode) ?? survivor(inode, random)
        made.set(inode, kept)
        after.set(path, kept)
      }
      return createCrashDisk(after, next)
    },
  }
}
