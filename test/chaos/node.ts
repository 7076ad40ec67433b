// One node as a process of its own: started, killed, frozen and started again; what it says and what it takes is kept.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { NodeStatus } from '../../protocol/status.js'

const BIN = fileURLToPath(new URL('../../../bin/millrace', import.meta.url))
/** What is loaded into a node before its own code. */
const PRELOADED = ['./clock-shift.js', './disk-fault.js'].map((name) => new URL(name, import.meta.url).href)
const LOG_CHARS = 200_000
const ASK_WITHIN_MS = 3000

export interface NodePaths {
  readonly configFile: string
  readonly dataDir: string
  readonly clockFile: string
  /** Says how the disk fails now; empty: not at all. */
  readonly diskFile: string
  readonly http: string
}

export interface ChaosNode extends NodePaths {
  /** Starts the process unless it runs. A start that fails is tried again by `keepUp`. */
  start(): void
  /** Ends it at once and resolves when it is gone. */
  kill(): Promise<void>
  /** SIGTERM; resolves with the exit code, or the signal that had to follow at the bound. */
  terminate(withinMs: number): Promise<number | string | null>
  signal(name: NodeJS.Signals): void
  running(): boolean
  /** The present process, or the last one, has said that it runs. */
  hasRun(): boolean
  /** Processes that ended though nobody ended them, with the last lines of their log. */
  readonly unasked: string[]
  readonly seen: {
    peakRssBytes: number
    peakJournalBytes: number
    peakDataBytes: number
    corrupt: number
    starts: number
  }
  /** Reads memory and disk; starts a process again that has ended by itself. */
  watch(): void
  status(): Promise<NodeStatus | undefined>
  isReady(): Promise<boolean>
  /** Ends the thread of an actor's group as a crash would. False when the node can not be asked. */
  endThread(actor: string): Promise<boolean>
  /** Sets a resource limit of the running process (prlimit of util-linux); false where that does not work. */
  limit(resource: 'fsize' | 'nofile', value: number | 'unlimited'): boolean
  log(): string
}

export function createNode(paths: NodePaths, mayExit: () => boolean): ChaosNode {
  let child: ChildProcess | undefined
  let gone: Promise<number | string | null> = Promise.resolve(null)
  let wanted = false
  let hasRun = false
  let log = ''
  const unasked: string[] = []
  const seen = { peakRssBytes: 0, peakJournalBytes: 0, peakDataBytes: 0, corrupt: 0, starts: 0 }

  function start(): void {
    wanted = true
    if (child !== undefined) return
    const started = spawn(process.execPath, [BIN, 'run', '-c', paths.configFile], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: nodeEnv(paths),
    })
    child = started
    hasRun = false
    seen.starts++
    for (const stream of [started.stdout, started.stderr]) {
      stream.setEncoding('utf8')
      stream.on('data', (text: string) => {
        log = (log + text).slice(-LOG_CHARS)
        if (text.includes('corrupt place found')) seen.corrupt++
        if (text.includes('"msg":"running"')) hasRun = true
      })
    }
    gone = new Promise((resolve) => {
      started.on('close', (code, signal) => {
        if (child === started) child = undefined
        if (wanted && !mayExit())
          unasked.push(`ended by itself with ${code ?? signal}: ${log.slice(-600).trim()}`)
        resolve(signal ?? code)
      })
    })
  }

  async function kill(): Promise<void> {
    wanted = false
    child?.kill('SIGKILL')
    await gone
  }

  return {
    ...paths,
    unasked,
    seen,
    start,
    kill,
    async terminate(withinMs) {
      wanted = false
      child?.kill('SIGTERM')
      const late = sleep(withinMs, 'late' as const, { ref: false })
      if ((await Promise.race([gone, late])) === 'late') await kill()
      return gone
    },
    signal: (name) => void child?.kill(name),
    running: () => child !== undefined,
    hasRun: () => hasRun,
    watch() {
      seen.peakJournalBytes = Math.max(seen.peakJournalBytes, bytesIn(join(paths.dataDir, 'journal'), '.seg'))
      seen.peakDataBytes = Math.max(seen.peakDataBytes, bytesIn(paths.dataDir, ''))
      if (child?.pid !== undefined) seen.peakRssBytes = Math.max(seen.peakRssBytes, peakRssBytes(child.pid))
      else if (wanted) start()
    },
    async status() {
      const answer = await ask(paths.http, '/status')
      return answer?.ok ? ((await answer.json()) as NodeStatus) : undefined
    },
    isReady: async () => (await ask(paths.http, '/readyz'))?.status === 200,
    endThread: (actor) => askSocket(join(paths.dataDir, 'control.sock'), 'restart', { actor }),
    limit(resource, value) {
      if (child?.pid === undefined) return false
      try {
        execFileSync('prlimit', ['--pid', String(child.pid), `--${resource}=${value}:`], { stdio: 'ignore' })
        return true
      } catch {
        return false
      }
    },
    log: () => log,
  }
}

export function nodeEnv({ clockFile, diskFile }: NodePaths): NodeJS.ProcessEnv {
  const options = [process.env['NODE_OPTIONS'] ?? '', ...PRELOADED.map((url) => `--import=${url}`)].join(' ')
  return {
    ...process.env,
    NODE_OPTIONS: options.trim(),
    MILLRACE_CHAOS_CLOCK_FILE: clockFile,
    MILLRACE_CHAOS_DISK_FILE: diskFile,
  }
}

async function ask(http: string, path: string): Promise<Response | undefined> {
  try {
    return await fetch(`http://${http}${path}`, { signal: AbortSignal.timeout(ASK_WITHIN_MS) })
  } catch {
    return undefined // Dead, frozen or out of descriptors: that is what the run is about.
  }
}

/** One verb over the node's control socket; whether the node said yes. */
function askSocket(file: string, verb: string, args: object): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(file)
    let text = ''
    socket.setEncoding('utf8')
    socket.setTimeout(ASK_WITHIN_MS, () => socket.destroy())
    socket.on('connect', () => socket.write(`${JSON.stringify({ verb, args, by: 'chaos' })}\n`))
    socket.on('data', (piece: string) => void (text += piece))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(text.startsWith('{"ok":true')))
  })
}

/** VmHWM of proc(5): the highest RSS so far; 0 where there is no /proc. */
function peakRssBytes(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

/** Of all files in the folder and below whose names end so. */
function bytesIn(folder: string, ending: string): number {
  let bytes = 0
  for (const name of namesIn(folder)) {
    try {
      const stat = statSync(join(folder, name))
      if (stat.isDirectory()) bytes += bytesIn(join(folder, name), ending)
      else if (name.endsWith(ending)) bytes += stat.size
    } catch {
      // Deleted between the list and the look: the next look counts again.
    }
  }
  return bytes
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
