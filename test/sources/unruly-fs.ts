// The file system as a source meets it at its worst: between any two of its calls the folder changes, or descriptors are gone.
import { createRequire, syncBuiltinESMExports } from 'node:module'
import type * as FileSystem from 'node:fs'
import { Gunzip } from 'node:zlib'

const fs = createRequire(import.meta.url)('node:fs') as typeof FileSystem

export type Meddle = (call: 'open' | 'list' | 'stat', path: string) => void

/** What a meddler throws when there are no descriptors left. */
export function noDescriptors(path: string): Error {
  return Object.assign(new Error(`EMFILE: too many open files, '${path}'`), { code: 'EMFILE' })
}

/** What the disk answers to a read instead of bytes. */
export function readFault(): Error {
  return Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' })
}

/** Asked before a read that does not block (packed files are read so): what is to be done first, if anything. */
export type BeforeRead = () => Promise<unknown> | undefined

export interface UnrulyFs {
  /** What the test itself does with files. */
  unmeddled(run: () => void): void
  /** A read that does not block, or what it has read of a packed file, is still under way. */
  isBusy(): boolean
  restore(): void
}

/**
 * Calls `meddle` before every synchronous open, listing and stat of a path under `root`; what it does with files itself goes unmeddled.
 * Each read of any file is asked for by `fails`.
 */
export function meddleWith(
  root: string,
  meddle: Meddle,
  beforeRead: BeforeRead = () => undefined,
  fails: (fd: number) => boolean = () => false,
): UnrulyFs {
  const { openSync, read, readSync, readdirSync, statSync } = fs
  let reads = 0
  const unpacking = new Set<Gunzip>()
  const { prototype } = Gunzip as unknown as { prototype: Record<'_transform' | '_flush', Function> }
  const { _transform, _flush } = prototype
  const counted = (run: Function) =>
    function (this: Gunzip, ...args: unknown[]): unknown {
      unpacking.add(this)
      return Reflect.apply(run, this, args)
    }
  Object.assign(prototype, { _transform: counted(_transform), _flush: counted(_flush) })
  const failingRead = (...args: unknown[]): unknown => {
    if (!inside && fails(args[0] as number)) throw readFault()
    return Reflect.apply(readSync, fs, args) as unknown
  }
  const lateRead = (...args: Parameters<typeof read>): void => {
    const answer = args.at(-1) as (...answered: unknown[]) => void
    reads++
    args[args.length - 1] = ((...answered: unknown[]): void => {
      reads--
      answer(...answered)
    }) as never
    if (fails(args[0])) return void setImmediate(() => (args.at(-1) as (error: Error) => void)(readFault()))
    const first = beforeRead()
    if (first === undefined) read(...args)
    else void first.then(() => read(...args))
  }
  let inside = false
  function unmeddled(run: () => void): void {
    inside = true
    try {
      run()
    } finally {
      inside = false
    }
  }
  function before(call: Parameters<Meddle>[0], path: unknown): void {
    if (!inside && String(path).startsWith(root)) unmeddled(() => meddle(call, String(path)))
  }
  const set = (functions: Partial<typeof FileSystem>): void => {
    Object.assign(fs, functions)
    syncBuiltinESMExports()
  }
  function wrapped(call: Parameters<Meddle>[0], run: (...args: unknown[]) => unknown) {
    return (...args: unknown[]) => {
      before(call, args[0])
      return run(...args)
    }
  }
  set({
    openSync: wrapped('open', openSync as never) as typeof openSync,
    read: lateRead as typeof read,
    readSync: failingRead as typeof readSync,
    readdirSync: wrapped('list', readdirSync as never) as typeof readdirSync,
    statSync: wrapped('stat', statSync as never) as typeof statSync,
  })
  return {
    unmeddled,
    isBusy() {
      for (const each of unpacking) if (each.destroyed || each.readableEnded) unpacking.delete(each)
      return reads > 0 || [...unpacking].some((each) => each.writableLength > 0 || each.writableEnded)
    },
    restore() {
      Object.assign(prototype, { _transform, _flush })
      set({ openSync, read, readSync, readdirSync, statSync })
    },
  }
}
