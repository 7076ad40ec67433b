// Forgets the positions of finished files once the files are gone: as long as one is there, a restart must not read it again.
import { closeSync, constants, openSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { systemCode } from '../../protocol/errors.js'
import type { FileIdentity, Position } from '../../protocol/positions.js'
import type { Clock } from '../../runtime/clock.js'
import type { Wal } from '../../runtime/wal/wal.js'
import { headMatches, readGzHead } from '../sources/tail/identity.js'

export interface FinishedFilesOptions {
  readonly wal: Pick<Wal, 'stalePositions' | 'settlePosition'>
  readonly clock: Clock
}

const LOOK_EVERY_MS = 5000
/**
 * A look ends after so many files, and begins none after so long, so that commits do not wait for it: one that is gone is looked for
 * among all names of its folder. The others are looked for at the next look.
 */
const FILES_A_LOOK = 50
const LOOK_MS_MAX = 20

/** Returns what ends it. */
export function watchFinishedFiles({ wal, clock }: FinishedFilesOptions): () => void {
  /** Not found once. A file that is being renamed or packed while its folder is read can be missed. */
  let missed = new Set<Position>()
  return clock.every(LOOK_EVERY_MS, () => {
    const stale = wal.stalePositions().slice(0, FILES_A_LOOK)
    const stillMissed = new Set<Position>()
    const untilMs = clock.monotonic() + LOOK_MS_MAX
    for (const position of stale) {
      if (clock.monotonic() > untilMs) break
      const exists = fileExists(position)
      if (exists || missed.has(position)) wal.settlePosition(position, exists)
      else stillMissed.add(position)
    }
    missed = stillMissed
  })
}

/** Whether the file is still in its folder under any name, packed or not. A folder that can not be read now does not count as gone. */
export function fileExists({ path, identity }: Position): boolean {
  if (isSameFile(path, identity)) return true
  const folder = dirname(path)
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch (error) {
    return !isGone(error)
  }
  return names.some((name) =>
    name.endsWith('.gz')
      ? isPackedForm(join(folder, name), identity)
      : isSameFile(join(folder, name), identity),
  )
}

function isSameFile(path: string, { dev, ino }: FileIdentity): boolean {
  try {
    const found = statSync(path, { throwIfNoEntry: false })
    return found !== undefined && found.ino === ino && found.dev === dev
  } catch (error) {
    return !isGone(error)
  }
}

/** Any other error only says that it can not be looked at now: the position stays. */
function isGone(error: unknown): boolean {
  const code = systemCode(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

function isPackedForm(path: string, identity: FileIdentity): boolean {
  // A file that was packed before it was read is known by its own inode.
  if (isSameFile(path, identity)) return true
  if (identity.headBytes === 0) return false
  let fd = -1
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const head = readGzHead(fd)
    return head !== undefined && headMatches(identity, head)
  } catch (error) {
    return !isGone(error)
  } finally {
    if (fd >= 0) closeSync(fd)
  }
}
