// Repairs a journal that no node runs on: torn tails are cut, segments with corrupt places are rewritten without them.
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { type WalFile, type WalFiles, writeAll } from './files.js'
import {
  cursorName,
  encodeEnvelope,
  encodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  segmentSalt,
} from './layout.js'
import type { CorruptPlace } from './observer.js'
import { createPositionTable, type PositionTable } from './position-table.js'
import type { VerifyFrame } from './scan.js'
import { type ReadSegment, withFile } from './segment.js'
import { headerOf } from './recover.js'
import { eachEntry, type WalkedSegment } from './walk.js'

export interface RepairOptions {
  readonly folder: string
  readonly files: WalFiles
  readonly verify: VerifyFrame
  readonly nowMs: number
}

export interface Repaired {
  readonly path: string
  readonly did: 'cut' | 'rewritten' | 'removed' | 'written'
}

/**
 * Frames keep their seqs, so cursors stay right; what is unreadable is gone. A rewritten segment gets a positions snapshot worked out from
 * the segments before it; `before`, frames whose segments are gone, gets an empty one that says so. Each step is atomic: a repair that is interrupted is begun anew.
 */
export async function repairFolder(
  options: RepairOptions,
  segments: readonly WalkedSegment[],
  corruptCursors: readonly string[],
  before?: CorruptPlace,
): Promise<Repaired[]> {
  const repaired: Repaired[] = []
  const positions = createPositionTable()
  if (before !== undefined) {
    const { path, fromSeq = 0, frames } = before
    await rewritten(options, path, (file) =>
      writeAll(file, headOf(fromSeq, options.nowMs, positions.encode(), frames), 0),
    )
    repaired.push({ path, did: 'written' })
  }
  for (const [n, segment] of segments.entries()) {
    const next = segments[n + 1]?.firstSeq
    const path = join(options.folder, segment.name)
    const kinds = new Set(segment.places.map(({ kind }) => kind))
    if (kinds.size === 0) await passOver(options, segment, next, positions)
    else if (kinds.size === 1 && kinds.has('torn_tail')) {
      await withFile(options.files, path, 'write', async (file) => {
        await file.truncate(segment.bytes - segment.tailBytes)
        await file.datasync()
      })
      repaired.push({ path, did: 'cut' })
    } else {
      await rewritten(options, path, (file) => copyWhole(options, segment, next, positions, file))
      repaired.push({ path, did: 'rewritten' })
    }
  }
  for (const backend of corruptCursors) {
    const path = join(options.folder, cursorName(backend))
    await options.files.remove(path)
    repaired.push({ path, did: 'removed' })
  }
  await options.files.syncFolder(options.folder)
  return repaired
}

/** Takes the positions of a sound segment along: its snapshot, and its frames. */
async function passOver(
  options: RepairOptions,
  segment: WalkedSegment,
  next: number | undefined,
  positions: PositionTable,
): Promise<void> {
  const opened = ({ snapshot }: ReadSegment) => void positions.load(snapshot)
  await eachEntry(options, segment.firstSeq, next, opened, (entry) => applyFrame(positions, entry))
}

function applyFrame(positions: PositionTable, entry: { kind: string; frame?: Uint8Array }): void {
  if (entry.frame !== undefined) positions.apply(headerOf(entry.frame).positions)
}

async function rewritten(
  { folder, files }: RepairOptions,
  path: string,
  write: (file: WalFile) => Promise<unknown>,
): Promise<void> {
  const temporary = `${path}.new`
  await files.remove(temporary).catch(() => undefined)
  const file = await files.open(temporary, 'create')
  try {
    await write(file)
    await file.datasync()
  } finally {
    await file.close()
  }
  await files.rename(temporary, path)
  await files.syncFolder(folder)
}

function headOf(firstSeq: number, madeMs: number, snapshot: Uint8Array, missing: number): Uint8Array[] {
  const sums = { snapshotBytes: snapshot.length, snapshotCrc: crc32(snapshot) }
  return [encodeSegmentHeader({ firstSeq, madeMs, ...sums, missing }), snapshot]
}

async function copyWhole(
  options: RepairOptions,
  segment: WalkedSegment,
  next: number | undefined,
  positions: PositionTable,
  file: WalFile,
): Promise<void> {
  const { firstSeq } = segment
  const salt = segmentSalt(firstSeq)
  let at = 0
  let head: Uint8Array[] = []
  function opened({ snapshot, segment: { madeMs } }: ReadSegment): void {
    positions.load(snapshot)
    const bytes = positions.encode()
    head = headOf(firstSeq, madeMs > 0 ? madeMs : options.nowMs, bytes, segment.missing)
    at = SEGMENT_HEADER_BYTES + bytes.length
  }
  await eachEntry(options, firstSeq, next, opened, async (entry) => {
    if (entry.kind === 'lost') return
    applyFrame(positions, entry)
    at += await writeAll(file, [encodeEnvelope(entry.seq, salt), entry.frame], at)
  })
  await writeAll(file, head, 0)
}
