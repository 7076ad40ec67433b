// Reads single frames back from disk by seq, in order of need: sequential reads go on where the last one ended.
import {
  FRAME_PREFIX_BYTES,
  type FrameHeader,
  type FramePrefix,
  readFramePrefix,
} from '../../protocol/frame.js'
import { systemCode } from '../../protocol/errors.js'
import type { WalState } from './append.js'
import type { WalFile, WalFiles } from './files.js'
import { segmentSalt } from './layout.js'
import type { WalObserver } from './observer.js'
import { headerOf } from './recover.js'
import { createScanner, type LostEntry, type Scanner, type VerifyFrame } from './scan.js'
import { addPoint, pointBefore, type Segment, segmentOf } from './segment.js'

export type ReadResult =
  /** `encoded` is the reader's gift: nothing else uses its buffer. */
  | {
      readonly kind: 'frame'
      readonly seq: number
      readonly encoded: Uint8Array
      readonly prefix: FramePrefix
      readonly header: FrameHeader
    }
  /** Seqs [fromSeq, toSeq), the asked one among them, can't be read any more. */
  | { readonly kind: 'lost'; readonly fromSeq: number; readonly toSeq: number; readonly records?: number }

export interface FrameReader {
  /** `seq` must be committed. Rejects on faults that may pass (EMFILE, …); corruption is a result. One call at a time. */
  read(seq: number): Promise<ReadResult>
  close(): Promise<void>
}

export interface ReaderOptions {
  readonly files: WalFiles
  readonly verify: VerifyFrame
  readonly observer: WalObserver
}

interface Place {
  readonly segment: Segment
  readonly file: WalFile
  readonly scanner: Scanner
  /** Seqs below this are behind the scanner. */
  nextSeq: number
}

export function createReader(state: WalState, options: ReaderOptions): FrameReader {
  let place: Place | undefined

  async function close(): Promise<void> {
    const last = place
    place = undefined
    await last?.file.close()
  }

  async function seek(segment: Segment, seq: number): Promise<Place> {
    if (place?.segment === segment && place.nextSeq <= seq) return place
    await close()
    const point = pointBefore(segment, seq)
    const file = await options.files.open(segment.path, 'read')
    const salt = segmentSalt(segment.firstSeq)
    const start = point ?? { seq: segment.firstSeq, offset: segment.dataOffset }
    const scanner = createScanner(
      file,
      { offset: start.offset, lastSeq: start.seq - 1, salt },
      options.verify,
    )
    place = { segment, file, scanner, nextSeq: start.seq }
    return place
  }

  function lost(segment: Segment, entry: Omit<LostEntry, 'kind'>): ReadResult {
    const { fromSeq, toSeq, offset, bytes, records, id } = entry
    const known = { ...(records === undefined ? {} : { records }), ...(id === undefined ? {} : { id }) }
    const kind = bytes > 0 ? 'frame' : 'missing'
    options.observer.corrupt({ kind, path: segment.path, offset, bytes, frames: toSeq - fromSeq, ...known })
    return { kind: 'lost', fromSeq, toSeq, ...(records === undefined ? {} : { records }) }
  }

  async function readIn(segment: Segment, endSeq: number, seq: number): Promise<ReadResult> {
    const at = await seek(segment, seq)
    for (;;) {
      // The committed length is asked for each time: the newest segment grows.
      const limit = segment.bytes
      const entry = await at.scanner.next(limit, endSeq, (number) => number >= seq)
      if (entry.kind === 'end') {
        at.nextSeq = endSeq
        return lost(segment, { fromSeq: seq, toSeq: endSeq, offset: entry.offset, bytes: entry.bytes })
      }
      if (entry.kind === 'lost') {
        at.nextSeq = entry.toSeq
        if (entry.toSeq > seq) return lost(segment, { ...entry, fromSeq: Math.max(seq, entry.fromSeq) })
        continue
      }
      at.nextSeq = entry.seq + 1
      if (entry.kind === 'repaired') {
        options.observer.corrupt({
          kind: 'envelope',
          path: segment.path,
          offset: entry.offset,
          bytes: entry.bytes,
          frames: 0,
        })
      }
      if (entry.seq < seq) continue
      const encoded = new Uint8Array(entry.frame)
      const prefix = readFramePrefix(new DataView(encoded.buffer, 0, FRAME_PREFIX_BYTES), 0) as FramePrefix
      const header = headerOf(encoded)
      addPoint(segment, { seq, offset: entry.offset, madeMs: header.madeMs })
      return { kind: 'frame', seq, encoded, prefix, header }
    }
  }

  async function read(seq: number): Promise<ReadResult> {
    const { segments, tailSeq } = state
    const index = segmentOf(segments, seq)
    const segment = segments[index]
    const endSeq = segments[index + 1]?.firstSeq ?? tailSeq
    if (segment === undefined)
      return { kind: 'lost', fromSeq: seq, toSeq: Math.min(tailSeq, segments[0]?.firstSeq ?? tailSeq) }
    try {
      return await readIn(segment, endSeq, seq)
    } catch (error) {
      await close()
      // Deleted behind our back (by hand; our own deletion is seen in the list): gone is gone, the rest goes on.
      if (systemCode(error) !== 'ENOENT') throw error
      if (segmentOf(state.segments, seq) < 0) return read(seq)
      return lost(segment, { fromSeq: seq, toSeq: endSeq, offset: 0, bytes: 0 })
    }
  }
  return { read, close }
}
