// What a journal's cursors say of frames that no segment holds any more: behind the last whole one, and before the first segment.
import { join } from 'node:path'
import { AUDIT_CURSOR } from '../../protocol/audit.js'
import type { LoadedCursor } from './cursor.js'
import { segmentName } from './layout.js'
import type { CorruptPlace } from './observer.js'
import { createSeqSet } from './seq-set.js'

/** One past the newest frame that a backend has acknowledged: it was there. */
export function acknowledgedEnd(cursors: readonly LoadedCursor[]): number {
  return Math.max(0, ...cursors.map(({ done }) => done.at(-1)?.[1] ?? 0))
}

/**
 * The first segment is deleted when every backend has it, or at journal.bytes_max; the last one never is. Of a journal that no node runs
 * on: a running one deletes between two looks.
 */
export function missingBefore(
  folder: string,
  cursors: readonly LoadedCursor[],
  firstSeq: number | undefined,
): CorruptPlace | undefined {
  const done = cursors
    .filter(({ backend, corrupt }) => !corrupt && backend !== AUDIT_CURSOR)
    .map((cursor) => createSeqSet(cursor.done))
  const fromSeq = Math.min(...done.map((set) => set.nextMissing(0)))
  const toSeq = firstSeq ?? acknowledgedEnd(cursors)
  if (done.length === 0 || toSeq === 0 || (firstSeq !== undefined && fromSeq >= firstSeq)) return undefined
  const path = join(folder, segmentName(fromSeq))
  return { kind: 'missing', path, offset: 0, bytes: 0, frames: toSeq - fromSeq, fromSeq }
}
