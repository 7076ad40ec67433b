// A user's desk: a temporary folder with config files and logs, in which the real executable is run as a user would.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const BIN = fileURLToPath(new URL('../../../bin/millrace', import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  /** Resolves when its log has said this; rejects when it ends first. */
  said(pattern: RegExp): Promise<RegExpExecArray>
  /** host:port of its status page, once it runs. */
  address(): Promise<string>
}

export interface Desk {
  readonly folder: string
  write(name: string, text: string): string
  start(...args: readonly string[]): Running
  /** Runs to the end. */
  run(...args: readonly string[]): Promise<Ended>
  remove(): void
}

export function openDesk(): Desk {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-desk-'))
  const children = new Set<ChildProcess>()
  function start(...args: readonly string[]): Running {
    const child = spawn(process.execPath, [BIN, ...args], { cwd: folder, stdio: 'pipe' })
    children.add(child)
    return running(child)
  }
  return {
    folder,
    write(name, text) {
      const file = join(folder, name)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text)
      return file
    },
    start,
    run: (...args) => start(...args).ended,
    remove() {
      for (const child of children) child.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function running(child: ChildProcess): Running {
  let stdout = ''
  let stderr = ''
  const listeners = new Set<() => void>()
  child.stdin?.on('error', () => undefined)
  child.stdout?.setEncoding('utf8').on('data', (piece: string) => (stdout += piece))
  child.stderr?.setEncoding('utf8').on('data', (piece: string) => {
    stderr += piece
    for (const look of listeners) look()
  })
  const ended = new Promise<Ended>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr })),
  )
  const said = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(stderr)
        if (match === null) return
        listeners.delete(look)
        resolve(match)
      }
      listeners.add(look)
      void ended.then(({ code }) =>
        reject(new Error(`ended with ${code} before saying ${pattern}:\n${stderr}`)),
      )
      look()
    })
  return { child, ended, said, address: async () => (await said(/"http":"([^"]+)".*"running"/))[1] ?? '' }
}

/** A bound of its own on a port that must be taken. */
export async function takePort(): Promise<{ readonly port: number; free(): Promise<void> }> {
  const server: Server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    free: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

/** What no user may ever see. */
export function demandNoStack({ stderr }: Ended, what: string): void {
  assert.doesNotMatch(stderr, /\n\s+at .*[(:]|node:internal|this is a bug|Unhandled/, what)
}
