// Journal folders for tests: made, opened with what a test wants to watch, read back whole.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { systemClock } from '../../runtime/clock.js'
import { nodeFiles } from '../../runtime/wal/files.js'
import type { CorruptPlace, WalFault, WalObserver } from '../../runtime/wal/observer.js'
import { openWal, type Wal, type WalOptions } from '../../runtime/wal/wal.js'
import { verify } from './frames.js'

export async function tempFolder(test: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-journal-'))
  // With tries: a journal that is being closed may save its cursors once more.
  test.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }))
  return folder
}

export interface Watched extends WalObserver {
  readonly places: CorruptPlace[]
  readonly faults: WalFault[]
  healings: number
}

export function watch(): Watched {
  const watched: Watched = {
    places: [],
    faults: [],
    healings: 0,
    corrupt: (place) => void watched.places.push(place),
    fault: (fault) => void watched.faults.push(fault),
    healed: () => void watched.healings++,
    committed: () => undefined,
  }
  return watched
}

export function open(folder: string, more: Partial<WalOptions> = {}): Promise<Wal> {
  const observer = more.observer ?? watch()
  const base = {
    folder,
    segmentBytes: 64 * 1024,
    fsync: true,
    files: nodeFiles,
    clock: systemClock,
    observer,
    verify,
  }
  return openWal({ ...base, ...more })
}

/** Ids by seq of everything that can be read; lost seqs are left out. */
export async function readAll(wal: Wal): Promise<Map<number, string>> {
  const reader = wal.reader()
  const ids = new Map<number, string>()
  for (let seq = wal.oldestSeq(); seq < wal.tailSeq(); ) {
    const result = await reader.read(seq)
    if (result.kind === 'frame') ids.set(seq, result.header.id)
    seq = result.kind === 'frame' ? seq + 1 : Math.max(seq + 1, result.toSeq)
  }
  await reader.close()
  return ids
}
