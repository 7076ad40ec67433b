// The file system as a source meets it at its worst: between any two of its calls the folder changes, or descriptors are gone.
import { createRequire, syncBuiltinESMExports } from 'node:module'
import type * as FileSystem from 'node:fs'

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
  const failingRead = (...args: unknown[]): unknown => {
    if (!inside && fails(args[0] as number)) throw readFault()
    return Reflect.apply(readSync, fs, args) as unknown
  }
  const lateRead = (...args: Parameters<typeof read>): void => {
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
  return { unmeddled, restore: () => set({ openSync, read, readSync, readdirSync, statSync }) }
}
