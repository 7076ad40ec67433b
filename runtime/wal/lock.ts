// The lock of a journal folder: one running node a folder, taken over from a dead one without a gap through which two could slip.
import { randomUUID } from 'node:crypto'
import { linkSync, readdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MillraceError } from '../../protocol/errors.js'
import { type Clock, sleep } from '../clock.js'
import { heartbeatMs, type Identity, isRunning, ownIdentity, parseIdentity } from './lock-identity.js'

/*
 * Node has no flock. LOCK is a small file that says who holds it; link() makes it appear whole or not at all. A LOCK whose holder is
 * dead is succeeded, not deleted: the heir links `LOCK.<token of the dead>` (only one can), checks that LOCK is still the dead one's,
 * and renames its own identity over it. Tokens are never used twice, so a slow heir of an older holder finds LOCK changed and gives up.
 */
const LOCK = 'LOCK'
const HEARTBEAT_EVERY_MS = 1000
/** A holder that can't be looked up by pid (another container, another host) is dead when its heartbeat rests this long. */
const HEARTBEAT_WATCH_MS = 5000
const ATTEMPTS_MAX = 16
const LEFTOVER_MS = 60_000

export interface LockOptions {
  readonly folder: string
  /** Named in the error. */
  readonly dataDir: string
  readonly clock: Clock
  /** Start of the owner within this process: a later one succeeds an earlier one that crashed without its process. */
  readonly epoch: number
  /** Called once when another has taken the lock over (this process stood still for too long) or LOCK was deleted: stop writing. */
  lost?(): void
}

export interface FolderLock {
  release(): void
}

export function lockedError(dataDir: string, holder: Identity): MillraceError {
  const text = `data_dir ${dataDir} is in use by the running millrace process ${holder.pid}; stop it, or give this one another node.data_dir`
  return new MillraceError('journal.locked', text)
}

function readIdentity(path: string): Identity | undefined {
  try {
    return parseIdentity(readFileSync(path, 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Whether the holder lives. Takes `HEARTBEAT_WATCH_MS` when only its heartbeat can tell. */
async function isAlive(holder: Identity, path: string, clock: Clock, epoch: number): Promise<boolean> {
  const running = isRunning(holder, epoch)
  if (running !== undefined) return running
  const before = heartbeatMs(path)
  await sleep(clock, HEARTBEAT_WATCH_MS)
  return heartbeatMs(path) !== before
}

/** Who runs on this folder now; undefined when nobody does. For tools that must not disturb a running node. */
export async function lockHolder(folder: string, clock: Clock): Promise<Identity | undefined> {
  const path = join(folder, LOCK)
  const holder = readIdentity(path)
  if (holder === undefined) return undefined
  return (await isAlive(holder, path, clock, Number.NEGATIVE_INFINITY)) ? holder : undefined
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

/** Follows the heirs of a dead holder to the last one; returns that one's token, or throws when one of them lives. */
async function lastHeir(options: LockOptions, token: string): Promise<string> {
  for (let heirs = 0; heirs < ATTEMPTS_MAX; heirs++) {
    const path = join(options.folder, `${LOCK}.${token}`)
    const heir = readIdentity(path)
    if (heir === undefined) return token
    if (await isAlive(heir, path, options.clock, options.epoch)) throw lockedError(options.dataDir, heir)
    token = heir.token
  }
  return token
}

/** Identities that were prepared by processes killed in the middle of taking the lock. */
function removeLeftovers(folder: string, own: string, nowMs: number): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    // Our own looks old too where the file system's clock is behind ours.
    if (!name.startsWith(`${LOCK}-`) || path === own) continue
    if (nowMs - heartbeatMs(path) > LEFTOVER_MS) rmSync(path, { force: true })
  }
}

/** One try to take over from a dead holder; false when something changed meanwhile. */
async function succeed(options: LockOptions, own: string, dead: Identity): Promise<boolean> {
  const { folder } = options
  const path = join(folder, LOCK)
  const claim = join(folder, `${LOCK}.${await lastHeir(options, dead.token)}`)
  if (!tryLink(own, claim)) return false
  if (readIdentity(path)?.token !== dead.token) {
    rmSync(claim, { force: true })
    return false
  }
  renameSync(own, path)
  // The claims of this succession are void from here on: LOCK never shows their tokens again.
  for (const name of readdirSync(folder))
    if (name.startsWith(`${LOCK}.`)) rmSync(join(folder, name), { force: true })
  return true
}

function hold(path: string, identity: Identity, options: LockOptions): FolderLock {
  const cancel = options.clock.every(HEARTBEAT_EVERY_MS, () => {
    const now = new Date()
    try {
      if (readIdentity(path)?.token === identity.token) return utimesSync(path, now, now)
      cancel()
      options.lost?.()
    } catch {
      // A full or failing disk says so where it matters, in appending; the pid still proves that we run.
    }
  })
  return {
    release() {
      cancel()
      if (readIdentity(path)?.token === identity.token) rmSync(path, { force: true })
    },
  }
}

/** Takes the lock of an existing folder. Rejects with `journal.locked`, which names the holder's pid and the data_dir. */
export async function lockFolder(options: LockOptions): Promise<FolderLock> {
  const { folder, clock, epoch } = options
  const path = join(folder, LOCK)
  const identity = ownIdentity(randomUUID(), epoch)
  const own = join(folder, `${LOCK}-${identity.token}`)
  writeFileSync(own, `${JSON.stringify(identity)}\n`, { mode: 0o640 })
  try {
    removeLeftovers(folder, own, clock.now())
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (tryLink(own, path)) return hold(path, identity, options)
      const holder = readIdentity(path)
      if (holder === undefined) continue
      if (await isAlive(holder, path, clock, epoch)) throw lockedError(options.dataDir, holder)
      if (await succeed(options, own, holder)) return hold(path, identity, options)
    }
    throw new MillraceError(
      'journal.locked',
      `data_dir ${options.dataDir}: others are taking its lock again and again`,
    )
  } finally {
    rmSync(own, { force: true })
  }
}
