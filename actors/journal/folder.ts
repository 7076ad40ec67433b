// Opens the journal's folder for the actor: made, locked, recovered; what is wrong with it is said in the operator's terms.
import { join } from 'node:path'
import { createKernel } from '../../kernel/kernel.js'
import type { JournalOptions } from '../../protocol/config/node.js'
import { MillraceError, saidOf, systemCode } from '../../protocol/errors.js'
import type { ActorContext } from '../../runtime/actor.js'
import { createFrameChecksum, type FrameChecksum, frameChecksumBytes } from '../../runtime/frame-checksum.js'
import { makeFolder } from '../../runtime/make-folder.js'
import { nodeFiles, type WalFiles } from '../../runtime/wal/files.js'
import { type FolderLock, lockFolder } from '../../runtime/wal/lock.js'
import type { WalObserver } from '../../runtime/wal/observer.js'
import { openWal, type Wal } from '../../runtime/wal/wal.js'

export interface OpenedFolder {
  readonly wal: Wal
  readonly lock: FolderLock
}

/** The kernel's own tables take about 4 MiB. */
const KERNEL_BYTES = 6 * 1024 * 1024
/** Several segments must fit below the bound, or none could ever be deleted. */
const SEGMENTS_AT_BOUND = 4

/** A checksum in a small kernel of its own. Pre-register `frame_checksum` or `wal_files` in the context to replace one (tests). */
export function openChecksum(): FrameChecksum {
  return createFrameChecksum(createKernel({ memoryBytes: KERNEL_BYTES + frameChecksumBytes() }))
}

/** Rejects with `journal.locked` (another node runs on it), `journal.directory` (it can't be made or read). */
export async function openFolder(
  context: ActorContext,
  options: JournalOptions,
  observer: WalObserver,
): Promise<OpenedFolder> {
  const { dataDir } = context.node
  const folder = join(dataDir, 'journal')
  const checksum = context.local('frame_checksum', openChecksum)
  const files = context.local<WalFiles>('wal_files', () => nodeFiles)
  try {
    makeFolder(folder, 0o750)
  } catch (cause) {
    throw unusable(dataDir, cause)
  }
  const lock = await lockFolder({
    folder,
    dataDir,
    clock: context.clock,
    epoch: context.epoch,
    lost: () => context.fail(lockLost(dataDir)),
  }).catch(rethrow(dataDir))
  try {
    const wal = await openWal({
      folder,
      files,
      observer,
      clock: context.clock,
      fsync: options.fsync,
      segmentBytes: Math.min(options.segment_bytes, Math.floor(options.bytes_max / SEGMENTS_AT_BOUND)),
      verify: (frame) => checksum.verify(frame) === undefined,
    })
    return { wal, lock }
  } catch (cause) {
    lock.release()
    throw unusable(dataDir, cause)
  }
}

function rethrow(dataDir: string): (cause: unknown) => never {
  return (cause) => {
    throw cause instanceof MillraceError ? cause : unusable(dataDir, cause)
  }
}

function lockLost(dataDir: string): MillraceError {
  const text = `data_dir ${dataDir}: the lock was taken over by another process or deleted while this one ran; writing stops`
  return new MillraceError('journal.lock_lost', text)
}

/** What a disk answers until there is room, or it works, again: worth another start of the thread. */
const PASSING_FAULTS: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EMFILE', 'ENFILE'])

function unusable(dataDir: string, cause: unknown): MillraceError {
  const why = saidOf(cause)
  if (PASSING_FAULTS.has(systemCode(cause) ?? '')) {
    const text = `data_dir ${dataDir}: its disk does not let the journal open (${why}); free space there, or see what ails it`
    return new MillraceError('journal.disk', text, { cause })
  }
  const text = `data_dir ${dataDir}: the journal can't be opened there (${why}); give node.data_dir a folder that this user may write`
  return new MillraceError('journal.directory', text, { cause })
}
