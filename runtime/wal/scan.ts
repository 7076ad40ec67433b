// Walks the entries of one segment in order, verifies them, and finds the way past corrupt places.
import {
  decodeFrameHeader,
  FRAME_PREFIX_BYTES,
  type FramePrefix,
  readFramePrefix,
} from '../../protocol/frame.js'
import type { WalFile } from './files.js'
import { decodeEnvelope, ENVELOPE_BYTES, ENVELOPE_MAGIC_BYTES } from './layout.js'
import { createWindow } from './window.js'

/** True when the bytes are exactly one whole frame with the right checksum. */
export type VerifyFrame = (frame: Uint8Array) => boolean

export type ScanEntry =
  /** `frame` is only valid until the next call. */
  | {
      readonly kind: 'frame'
      readonly seq: number
      readonly offset: number
      readonly bytes: number
      readonly frame: Uint8Array
    }
  /** The envelope of a good frame was broken; its number follows from its place. Counted, nothing is lost. */
  | {
      readonly kind: 'repaired'
      readonly seq: number
      readonly offset: number
      readonly bytes: number
      readonly frame: Uint8Array
    }
  | LostEntry
  /** No entry begins at or after `offset`: a torn tail, or nothing at all when offset is the limit. */
  | { readonly kind: 'end'; readonly offset: number; readonly bytes: number }

/** Seqs [fromSeq, toSeq) are unreadable. `records` and `id` are what the first broken frame's header still tells. */
export interface LostEntry {
  readonly kind: 'lost'
  readonly fromSeq: number
  readonly toSeq: number
  readonly offset: number
  readonly bytes: number
  readonly records?: number
  readonly id?: string
}

export interface Scanner {
  /**
   * The next entry below file offset `limit` and below `seqLimit`; `wanted` skips frames without reading or verifying them.
   * After `end` it may be called again with a larger limit (a segment that grows).
   */
  next(limit: number, seqLimit: number, wanted?: (seq: number) => boolean): Promise<ScanEntry>
}

export interface ScanStart {
  /** Where an entry begins. */
  readonly offset: number
  /** The seq before the first entry there. */
  readonly lastSeq: number
  readonly salt: number
}

const CHUNK_BYTES = 1024 * 1024
const HEAD_BYTES = ENVELOPE_BYTES + FRAME_PREFIX_BYTES

interface Parsed {
  readonly seq: number | undefined
  readonly prefix: FramePrefix
  readonly bytes: number
}

export function createScanner(
  file: WalFile,
  start: ScanStart,
  verify: VerifyFrame,
  chunkBytes = CHUNK_BYTES,
): Scanner {
  const window = createWindow(file, chunkBytes)
  let at = start.offset
  let lastSeq = start.lastSeq
  /** Start of the last entry that was skipped unverified: its length may have led astray. */
  let skippedAt: number | undefined
  /** The place that `lost` was just reported up to: the entry there is verified already. */
  let resumeSeq: number | undefined

  /** Envelope and prefix at `offset`; undefined when there can't be a whole entry. */
  async function parse(offset: number, limit: number): Promise<Parsed | undefined> {
    if (offset + HEAD_BYTES > limit) return undefined
    const head = await window.at(offset, HEAD_BYTES, limit)
    const prefix = readFramePrefix(new DataView(head.buffer, head.byteOffset, HEAD_BYTES), ENVELOPE_BYTES)
    if (prefix === undefined) return undefined
    const bytes = ENVELOPE_BYTES + prefix.totalBytes
    return offset + bytes > limit ? undefined : { seq: decodeEnvelope(head, 0, start.salt), prefix, bytes }
  }

  async function frameAt(offset: number, parsed: Parsed, limit: number): Promise<Uint8Array | undefined> {
    const frame = await window.at(offset + ENVELOPE_BYTES, parsed.prefix.totalBytes, limit)
    return verify(frame) ? frame : undefined
  }

  /** The first whole, verified entry after `from` whose seq is above the last one. */
  async function resync(
    from: number,
    limit: number,
    seqLimit: number,
  ): Promise<{ offset: number; seq: number } | undefined> {
    for (let offset = from + 1; offset + HEAD_BYTES <= limit; ) {
      await window.at(offset, HEAD_BYTES, limit)
      const held = window.held(offset)
      const found = Buffer.from(held.buffer, held.byteOffset, held.length).indexOf(ENVELOPE_MAGIC_BYTES)
      if (found < 0) {
        offset += held.length - ENVELOPE_MAGIC_BYTES.length + 1
        continue
      }
      const parsed = await parse(offset + found, limit)
      const seq = parsed?.seq
      const plausible = parsed !== undefined && seq !== undefined && seq > lastSeq && seq < seqLimit
      if (plausible && (await frameAt(offset + found, parsed, limit)) !== undefined)
        return { offset: offset + found, seq }
      offset += found + 1
    }
    return undefined
  }

  async function describeLost(offset: number, limit: number): Promise<{ records?: number; id?: string }> {
    const parsed = await parse(offset, limit)
    if (parsed === undefined) return {}
    try {
      const bytes = await window.at(offset + HEAD_BYTES, parsed.prefix.headerBytes, limit)
      const { count, id } = decodeFrameHeader(new Uint8Array(bytes))
      return Number.isSafeInteger(count) && count >= 0 ? { records: count, id } : { id }
    } catch {
      return {} // The header is part of what is broken.
    }
  }

  async function skipCorrupt(limit: number, seqLimit: number): Promise<ScanEntry> {
    const offset = skippedAt ?? at
    const found = await resync(offset, limit, seqLimit)
    if (found === undefined) return { kind: 'end', offset: at, bytes: limit - at }
    const lost = {
      kind: 'lost',
      fromSeq: lastSeq + 1,
      toSeq: found.seq,
      offset: at,
      bytes: Math.max(0, found.offset - at),
    } as const
    const known = await describeLost(at, limit)
    at = found.offset
    lastSeq = found.seq - 1
    skippedAt = undefined
    return { ...lost, ...known }
  }

  async function next(
    limit: number,
    seqLimit: number,
    wanted: (seq: number) => boolean = () => true,
  ): Promise<ScanEntry> {
    while (at < limit) {
      const parsed = await parse(at, limit)
      if (parsed === undefined) return skipCorrupt(limit, seqLimit)
      const seq = parsed.seq ?? lastSeq + 1
      if (seq <= lastSeq || seq >= seqLimit) return skipCorrupt(limit, seqLimit)
      if (seq > lastSeq + 1 && resumeSeq !== seq) {
        // Whole, but its predecessors are missing: they were cut out by a repair.
        resumeSeq = seq
        return { kind: 'lost', fromSeq: lastSeq + 1, toSeq: seq, offset: at, bytes: 0 }
      }
      const offset = at
      if (parsed.seq !== undefined && !wanted(seq)) {
        skippedAt = offset
        at += parsed.bytes
        lastSeq = seq
        continue
      }
      const frame = await frameAt(offset, parsed, limit)
      if (frame === undefined) return skipCorrupt(limit, seqLimit)
      at += parsed.bytes
      lastSeq = seq
      skippedAt = undefined
      return {
        kind: parsed.seq === undefined ? 'repaired' : 'frame',
        seq,
        offset,
        bytes: parsed.bytes,
        frame,
      }
    }
    return { kind: 'end', offset: at, bytes: 0 }
  }
  return { next }
}
