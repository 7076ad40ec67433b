// Repairs a journal that no node runs on: torn tails are cut, segments with corrupt places are rewritten without them.
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { type WalFile, type WalFiles, writeAll } from './files.js'
import {
  cursorName,
  encodeEnvelope,
  encodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  segmentName,
  segmentSalt,
} from './layout.js'
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
  readonly did: 'cut' | 'rewritten' | 'removed'
}

/**
 * Frames keep their seqs, so cursors stay right; what is unreadable is gone. A rewritten segment gets a positions snapshot worked out from
 * the segments before it. Each step is atomic: a repair that is interrupted is begun anew.
 */
export async function repairFolder(
  options: RepairOptions,
  segments: readonly WalkedSegment[],
  corruptCursors: readonly string[],
): Promise<Repaired[]> {
  const repaired: Repaired[] = []
  const positions = createPositionTable()
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
      await rewrite(options, segment, next, positions)
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

async function rewrite(
  options: RepairOptions,
  segment: WalkedSegment,
  next: number | undefined,
  positions: PositionTable,
): Promise<void> {
  const { folder, files } = options
  const path = join(folder, segmentName(segment.firstSeq))
  const temporary = `${path}.new`
  await files.remove(temporary).catch(() => undefined)
  const file = await files.open(temporary, 'create')
  try {
    await copyWhole(options, segment, next, positions, file)
    await file.datasync()
  } finally {
    await file.close()
  }
  await files.rename(temporary, path)
  await files.syncFolder(folder)
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
    const made = madeMs > 0 ? madeMs : options.nowMs
    head = [
      encodeSegmentHeader({ firstSeq, madeMs: made, snapshotBytes: bytes.length, snapshotCrc: crc32(bytes) }),
      bytes,
    ]
    at = SEGMENT_HEADER_BYTES + bytes.length
  }
  await eachEntry(options, firstSeq, next, opened, async (entry) => {
    if (entry.kind === 'lost') return
    applyFrame(positions, entry)
    at += await writeAll(file, [encodeEnvelope(entry.seq, salt), entry.frame], at)
  })
  await writeAll(file, head, 0)
}
