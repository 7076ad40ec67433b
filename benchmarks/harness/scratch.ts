// A temporary folder for a benchmark: corpora and data folders in it, gone when the benchmark ends.
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTraffic, type TrafficOptions } from '../generate/traffic.js'

export interface Scratch {
  readonly folder: string
  /** An empty folder in it; one of that name before is deleted. */
  fresh(name: string): string
  remove(name?: string): void
}

export interface CorpusOnDisk {
  readonly root: string
  readonly records: number
  readonly bytes: number
}

/** linux/magic.h */
const TMPFS_MAGIC = 0x01021994
const CHUNK_RECORDS = 50_000
/** Records spread over the minute before now: neither backend takes what lies too far from the present. */
const SPAN_MS = 60_000

/** What has to be said of a folder in memory: nothing there is written or synced. */
export function scratchNotes(folder: string): readonly string[] {
  if (statfsSync(folder).type !== TMPFS_MAGIC) return []
  return [
    `${folder} is in memory (tmpfs): what syncs the journal costs nothing here. Set TMPDIR to a folder on a disk`,
  ]
}

export function createScratch(): Scratch {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  return {
    folder,
    fresh(name) {
      const path = join(folder, name)
      rmSync(path, { recursive: true, force: true })
      mkdirSync(path)
      return path
    },
    remove: (name) =>
      rmSync(name === undefined ? folder : join(folder, name), { recursive: true, force: true }),
  }
}

export function writeCorpus(
  root: string,
  records: number,
  options: Omit<TrafficOptions, 'root' | 'seed'>,
): CorpusOnDisk {
  const traffic = createTraffic({ root, seed: 1, ...options })
  const startMs = Date.now() - SPAN_MS
  const at = (written: number): number => startMs + (written / records) * SPAN_MS
  while (traffic.written() < records) {
    const count = Math.min(CHUNK_RECORDS, records - traffic.written())
    traffic.write(count, at(traffic.written()), at(traffic.written() + count))
  }
  traffic.close()
  return { root, records, bytes: traffic.bytes() }
}
