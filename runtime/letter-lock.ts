// One process at a time takes letters out of a node's dead letters: the node that puts them into the stream, or a command.
import { MillraceError } from '../protocol/errors.js'
import { type Clock, sleep } from './clock.js'
import { makeFolder } from './make-folder.js'
import { lockFolder } from './wal/lock.js'

export interface LetterLockOptions {
  /** `<data_dir>/dlq`; made when it is not there. */
  readonly root: string
  readonly clock: Clock
  /** Start of the owner within this process; see LockOptions. */
  readonly epoch: number
  /** How long to wait for whoever has it; 0: not at all. */
  readonly waitMs: number
}

const AGAIN_MS = 100

/** Writers only append, and need no lock. Rejects with `dlq.locked`; the work has not begun then. */
export async function withLetterLock<T>(options: LetterLockOptions, work: () => Promise<T>): Promise<T> {
  const { root, clock, epoch } = options
  makeFolder(root)
  const deadlineMs = clock.monotonic() + options.waitMs
  for (;;) {
    try {
      const lock = await lockFolder({ folder: root, dataDir: root, clock, epoch })
      try {
        return await work()
      } finally {
        lock.release()
      }
    } catch (cause) {
      if (!(cause instanceof MillraceError) || cause.code !== 'journal.locked') throw cause
      if (clock.monotonic() >= deadlineMs) {
        const text = `another process is taking letters out of ${root}; try again when it is through`
        throw new MillraceError('dlq.locked', text, { cause })
      }
      await sleep(clock, AGAIN_MS)
    }
  }
}
