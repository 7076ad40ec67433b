// Starts a server as a process group of its own, remembers it in a pid file, and ends only what that file names.
import { type SpawnOptions, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export type Launch = {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** Run as this user and group (only root can ask for it). */
  readonly userId?: number
}

/** The pid file's content; the start time tells a reused pid from the one that was started. */
type Owned = { readonly pid: number; readonly startedAt: string }

export function launch(pidFile: string, logFile: string, what: Launch): number {
  mkdirSync(path.dirname(pidFile), { recursive: true })
  const log = openSync(logFile, 'a')
  const options: SpawnOptions = {
    cwd: what.cwd,
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, ...what.env },
    ...(what.userId === undefined ? {} : { uid: what.userId, gid: what.userId }),
  }
  const child = spawn(what.command, what.args, options)
  closeSync(log)
  child.on('error', (error) => process.stderr.write(`cannot start ${what.command}: ${error.message}\n`))
  if (child.pid === undefined) throw new Error(`cannot start ${what.command}: see ${logFile}`)
  child.unref()
  writeFileSync(pidFile, `${child.pid} ${startTime(child.pid)}\n`)
  return child.pid
}

/** The pid of the server that the pid file names, if that very process still runs. */
export function runningPid(pidFile: string): number | undefined {
  const owned = readOwned(pidFile)
  return owned !== undefined && isAlive(owned) ? owned.pid : undefined
}

/** Ends the process group: the signal first, SIGKILL after `graceMs`. True if something ran. */
export async function end(pidFile: string, signal: 'SIGTERM' | 'SIGKILL', graceMs: number): Promise<boolean> {
  const owned = readOwned(pidFile)
  rmSync(pidFile, { force: true })
  if (owned === undefined || !isAlive(owned)) return false
  signalGroup(owned.pid, signal)
  const deadline = Date.now() + graceMs
  while (isAlive(owned) || groupLives(owned.pid)) {
    if (Date.now() > deadline) {
      signalGroup(owned.pid, 'SIGKILL')
      await sleep(200)
      break
    }
    await sleep(50)
  }
  return true
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function readOwned(pidFile: string): Owned | undefined {
  try {
    const [pid, startedAt] = readFileSync(pidFile, 'utf8').trim().split(' ')
    return pid === undefined || !/^\d+$/.test(pid)
      ? undefined
      : { pid: Number(pid), startedAt: startedAt ?? '' }
  } catch {
    return undefined
  }
}

function isAlive(owned: Owned): boolean {
  try {
    process.kill(owned.pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  const stat = processStat(owned.pid)
  return (
    stat === undefined ||
    (stat.state !== 'Z' && (owned.startedAt === '' || stat.startedAt === owned.startedAt))
  )
}

/** A launcher can end before the server it started: wait for every member. Only Linux tells; elsewhere the leader counts. */
function groupLives(group: number): boolean {
  const entries = fileNames('/proc').filter((name) => /^\d+$/.test(name))
  return entries.some((name) => {
    const stat = processStat(Number(name))
    return stat !== undefined && stat.group === group && stat.state !== 'Z'
  })
}

function fileNames(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}

function startTime(pid: number): string {
  return processStat(pid)?.startedAt ?? ''
}

/** State (field 3), process group (5) and start time (22) of /proc/<pid>/stat, see proc(5); undefined where there is no /proc. */
function processStat(pid: number): { state: string; group: number; startedAt: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0] ?? '', group: Number(fields[2]), startedAt: fields[19] ?? '' }
  } catch {
    return undefined
  }
}
