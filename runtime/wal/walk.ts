// Reads a whole journal folder without changing it: every frame verified, every corrupt place told. For tools; works beside a running node.
import { join } from 'node:path'
import { systemCode } from '../../protocol/errors.js'
import type { FrameHeader } from '../../protocol/frame.js'
import type { WalFiles } from './files.js'
import { segmentName, segmentSalt, segmentSeq } from './layout.js'
import type { CorruptPlace } from './observer.js'
import { createPositionTable, type PositionTable } from './position-table.js'
import { headerOf } from './recover.js'
import { createScanner, type ScanEntry, type VerifyFrame } from './scan.js'
import { readSegment, type ReadSegment, withFile } from './segment.js'

export interface WalkOptions {
  readonly folder: string
  readonly files: WalFiles
  readonly verify: VerifyFrame
  /** One past the newest frame that a cursor names: up to there frames were there. */
  readonly acknowledged?: number
  /** Each whole frame in order; `bytes` counts its envelope too. */
  frame?(found: WalkedFrame): void
}

export interface WalkedFrame {
  readonly seq: number
  readonly segment: string
  readonly offset: number
  readonly bytes: number
  readonly header: FrameHeader
}

export interface WalkedSegment {
  readonly name: string
  readonly firstSeq: number
  /** One past its last whole frame. */
  readonly endSeq: number
  readonly frames: number
  readonly records: number
  /** Of the file. */
  readonly bytes: number
  /** Bytes behind the last whole frame. In the last segment a torn tail; in others remains of a failed write, written again later. */
  readonly tailBytes: number
  /** Frames behind its last whole one that were there once. */
  readonly missing: number
  readonly places: readonly CorruptPlace[]
}

export interface Walked {
  readonly segments: readonly WalkedSegment[]
  /** The newest position of every file, as a start would recover them. */
  readonly positions: PositionTable
}

/** Rejects with the system's error when the folder can't be listed. */
export async function walkFolder(options: WalkOptions): Promise<Walked> {
  const positions = createPositionTable()
  const firstSeqs = (await options.files.list(options.folder))
    .flatMap((name) => segmentSeq(name) ?? [])
    .sort((a, b) => a - b)
  const segments: WalkedSegment[] = []
  for (const [n, firstSeq] of firstSeqs.entries()) {
    try {
      segments.push(await walkSegment(options, firstSeq, firstSeqs[n + 1], positions))
    } catch (error) {
      // A running node has deleted it since the folder was listed.
      if (systemCode(error) !== 'ENOENT') throw error
    }
  }
  return { segments, positions }
}

/** Opens a segment and calls `each` for every entry; returns what the header said and the bytes behind the last entry. */
export function eachEntry(
  options: Pick<WalkOptions, 'folder' | 'files' | 'verify'>,
  firstSeq: number,
  nextSeq: number | undefined,
  opened: (read: ReadSegment) => void,
  each: (entry: Exclude<ScanEntry, { kind: 'end' }>) => void | Promise<void>,
): Promise<{ read: ReadSegment; tailBytes: number }> {
  const path = join(options.folder, segmentName(firstSeq))
  return withFile(options.files, path, 'read', async (file) => {
    const read = await readSegment(file, options.folder, firstSeq, true)
    opened(read)
    const start = { offset: read.segment.dataOffset, lastSeq: firstSeq - 1, salt: segmentSalt(firstSeq) }
    const scanner = createScanner(file, start, options.verify)
    for (;;) {
      const entry = await scanner.next(read.segment.bytes, nextSeq ?? Number.MAX_SAFE_INTEGER)
      if (entry.kind === 'end') return { read, tailBytes: entry.bytes }
      await each(entry)
    }
  })
}

async function walkSegment(
  options: WalkOptions,
  firstSeq: number,
  nextSeq: number | undefined,
  positions: PositionTable,
): Promise<WalkedSegment> {
  const name = segmentName(firstSeq)
  const path = join(options.folder, name)
  const places: CorruptPlace[] = []
  let endSeq = firstSeq
  let frames = 0
  let records = 0
  function opened(read: ReadSegment): void {
    const nothing = { path, offset: 0, bytes: 0, frames: 0 }
    if (!read.headerSound) places.push({ ...nothing, kind: 'segment_header' })
    else if (!positions.load(read.snapshot)) places.push({ ...nothing, kind: 'positions' })
  }
  const { read, tailBytes } = await eachEntry(options, firstSeq, nextSeq, opened, (entry) => {
    if (entry.kind === 'lost') {
      const { fromSeq, toSeq, offset, bytes, records: lostRecords, id } = entry
      const known = {
        ...(lostRecords === undefined ? {} : { records: lostRecords }),
        ...(id === undefined ? {} : { id }),
      }
      if (bytes > 0)
        places.push({ kind: 'frame', path, offset, bytes, frames: toSeq - fromSeq, fromSeq, ...known })
      return
    }
    const { seq, offset, bytes } = entry
    const header = headerOf(entry.frame)
    if (entry.kind === 'repaired')
      places.push({ kind: 'envelope', path, offset, bytes, frames: 0, id: header.id })
    endSeq = seq + 1
    frames++
    records += header.count
    positions.apply(header.positions)
    options.frame?.({ seq, segment: name, offset, bytes, header })
  })
  const { bytes } = read.segment
  const missing = Math.max(0, (nextSeq ?? options.acknowledged ?? 0) - endSeq)
  const lost = { path, offset: bytes - tailBytes, bytes: tailBytes, frames: missing }
  if (missing > 0 && tailBytes > 0) places.push({ kind: 'frame', ...lost, fromSeq: endSeq })
  // A repair has told these.
  else if (missing > read.missing) places.push({ kind: 'missing', ...lost, fromSeq: endSeq })
  // Before another segment they are harmless remains of a failed write.
  else if (tailBytes > 0 && nextSeq === undefined) places.push({ kind: 'torn_tail', ...lost })
  return { name, firstSeq, endSeq, frames, records, bytes, tailBytes, missing, places }
}
