// Loaded into a node before its own code (NODE_OPTIONS --import): while a file says so, its disk answers EIO, to half of what is asked of it.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { dirname } from 'node:path'

/** write: a part is written, then the error; sync: what was written may or may not stay; read: of journal and logs alike. */
export const DISK_FAILURES = ['write', 'sync', 'read'] as const
export type DiskFailure = (typeof DISK_FAILURES)[number]

const LOOK_EVERY_MS = 100
const file = process.env['MILLRACE_CHAOS_DISK_FILE']

type Call = (...args: never[]) => unknown
type Callback = (error: Error | null, ...rest: unknown[]) => void

if (file !== undefined) await install(file)

async function install(told: string): Promise<void> {
  const root = dirname(told)
  const { readFileSync, readlinkSync } = fs
  let failing = ''
  let asked = 0
  const look = () => {
    try {
      failing = readFileSync(told, 'utf8').trim()
    } catch {
      // Out of descriptors: what was known last stays.
    }
  }
  look()
  setInterval(look, LOOK_EVERY_MS).unref()

  /** Only files of this node: pipes, sockets and modules are spared. */
  function fails(what: DiskFailure, fd: unknown): boolean {
    if (failing !== what || typeof fd !== 'number') return false
    try {
      if (!readlinkSync(`/proc/self/fd/${fd}`).startsWith(`${root}/`)) return false
    } catch {
      return false
    }
    return asked++ % 2 === 0
  }
  const failure = (call: string) =>
    Object.assign(new Error(`EIO: i/o error, ${call}`), { code: 'EIO', errno: -5, syscall: call })

  function replace(owner: object, name: string, by: (original: Call) => Call): void {
    const original = Reflect.get(owner, name) as Call
    Reflect.set(owner, name, by(original))
  }
  /** With a callback as its last argument. `before` may do a part of it. */
  function failAsync(name: 'fdatasync' | 'fsync' | 'read' | 'writev', what: DiskFailure): void {
    replace(fs, name, (original) => (...args: unknown[]) => {
      if (!fails(what, args[0])) return Reflect.apply(original, fs, args) as unknown
      const callback = args.at(-1) as Callback
      if (what === 'write') writeHalf(args[0] as number, args[1] as Uint8Array[], args[2] as number)
      return void setImmediate(() => callback(failure(name)))
    })
  }
  failAsync('writev', 'write')
  failAsync('fdatasync', 'sync')
  failAsync('fsync', 'sync')
  failAsync('read', 'read')
  replace(fs, 'readSync', (original) => (...args: unknown[]) => {
    if (fails('read', args[0])) throw failure('read')
    return Reflect.apply(original, fs, args) as unknown
  })
  syncBuiltinESMExports()

  const handle = await fs.promises.open(told, 'r')
  const handles = Object.getPrototypeOf(handle) as object
  await handle.close()
  const kinds = {
    appendFile: 'write',
    write: 'write',
    writev: 'write',
    datasync: 'sync',
    sync: 'sync',
    read: 'read',
  } as const
  for (const [name, what] of Object.entries(kinds))
    replace(
      handles,
      name,
      (original) =>
        function (this: fs.promises.FileHandle, ...args: unknown[]) {
          if (fails(what, this.fd)) return Promise.reject(failure(name))
          return Reflect.apply(original, this, args) as unknown
        },
    )
}

function writeHalf(fd: number, parts: readonly Uint8Array[], position: number): void {
  const [first] = parts
  if (first !== undefined) fs.writeSync(fd, first, 0, Math.floor(first.length / 2), position)
}
