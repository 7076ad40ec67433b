// Who holds a lock, in terms that tell a running process from a dead one whose pid was given to another.
import { readFileSync, readlinkSync, statSync } from 'node:fs'
import { crc32 } from 'node:zlib'

export interface Identity {
  /** Unique for every taking of a lock. */
  readonly token: string
  readonly pid: number
  /** Clock ticks from the boot to the process's start (field 22 of /proc/<pid>/stat, proc(5)); "" where there is no /proc. */
  readonly startTicks: string
  readonly bootId: string
  /** The pid namespace: a pid means nothing outside of it. */
  readonly pidSpace: string
  /** Which start of the owner inside the process. */
  readonly epoch: number
}

function orEmpty(read: () => string): string {
  try {
    return read().trim()
  } catch {
    return '' // Not Linux, or no /proc: the identity says less.
  }
}

/** State letter and start ticks of a process; undefined when there is none. The name in the second field may hold spaces and brackets. */
function processStat(pid: number): { state: string; startTicks: string } | undefined {
  const stat = orEmpty(() => readFileSync(`/proc/${pid}/stat`, 'latin1'))
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, startTicks] = [fields[0], fields[19]]
  return state === undefined || startTicks === undefined ? undefined : { state, startTicks }
}

export function ownIdentity(token: string, epoch: number): Identity {
  return {
    token,
    pid: process.pid,
    startTicks: processStat(process.pid)?.startTicks ?? '',
    bootId: orEmpty(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1')),
    pidSpace: orEmpty(() => readlinkSync('/proc/self/ns/pid')),
    epoch,
  }
}

/** What can't be read as an identity counts as one of an unknown process: its heartbeat decides. */
export function parseIdentity(text: string): Identity {
  const unknown: Identity = {
    token: `unreadable-${crc32(text).toString(16)}`,
    pid: 0,
    startTicks: '',
    bootId: '?',
    pidSpace: '?',
    epoch: 0,
  }
  try {
    const value = JSON.parse(text) as Partial<Identity>
    return typeof value.token === 'string' && Number.isInteger(value.pid) ? { ...unknown, ...value } : unknown
  } catch {
    return unknown
  }
}

/** Whether the holder runs; undefined when its pid can't be looked up from here. `epoch`: of the asker, for a holder in its own process. */
export function isRunning(holder: Identity, epoch: number): boolean | undefined {
  const own = ownIdentity('', epoch)
  if (holder.bootId !== own.bootId || holder.pidSpace !== own.pidSpace) return undefined
  if (own.startTicks === '') return isSignalled(holder.pid)
  const stat = processStat(holder.pid)
  if (stat === undefined || stat.startTicks !== holder.startTicks) return false
  if (stat.state === 'Z' || stat.state === 'X') return false
  // This very process: an earlier start of the owner is gone, or it would not be started again.
  return holder.pid !== own.pid || holder.epoch >= epoch
}

function isSignalled(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

export function heartbeatMs(path: string): number {
  try {
    return statSync(path).mtimeMs
  } catch {
    return 0
  }
}
