// Bulk bodies: frames are spliced into regions of kernel memory that are sent as they are and leased until the answer is in.
import { type BulkCodec, bulkCodecBytes, createBulkCodec } from '../../../kernel/codec.js'
import { FRAME_BYTES_MAX } from '../../../protocol/frame.js'
import type { ElasticsearchOptions } from '../../../protocol/config/backends.js'
import { addPart, type Batch, type BackendContext, type LoadedFrame } from '../writer.js'
import { createIndexNames } from './index-name.js'
import { recordText } from '../record-text.js'
import { type Run, runsOf } from './runs.js'
import { createTimestampSplice } from './timestamp-splice.js'

export interface BulkBatch extends Batch {
  /** What of it is asked: `first` a plain bulk, `reasons` again with full answers, `raw` documents that hold the record as text. */
  readonly stage: 'first' | 'reasons' | 'raw'
  /** Index of the items that name none. */
  readonly index: string
  readonly body: Buffer
  /** Frame ids of the parts, in the order of `parts`. */
  readonly frames: readonly string[]
}

export interface BulkEncoder {
  encode(frame: LoadedFrame): boolean
  flush(begunMs: number): number | undefined
  relieve(ordinal: number): void
  /** The server finds bodies of this size too large: smaller ones from now on. */
  shrink(bytes: number): void
  /** A body of this size was taken: a little more may be tried again. */
  taken(bytes: number): void
}

interface OpenBatch {
  readonly region: number
  readonly index: string
  readonly begunMs: number
  readonly ordinal: number
  readonly parts: { seq: number; records: number }[]
  readonly frames: string[]
  out: number
  records: number
}

interface Progress {
  readonly frame: LoadedFrame
  readonly runs: readonly Run[]
  run: number
  next: number
}

/** A body shrinks no further than this: below it a refusal is not about its size. */
export const BULK_BYTES_MIN = 256 * 1024

/** Room for any record: an action line of less than 4 KiB, the record, the batch id. */
const regionBytesOf = (options: ElasticsearchOptions): number =>
  Math.max(options.batch_bytes, FRAME_BYTES_MAX) + 8192

/** One more region than requests in flight, so that encoding goes on while all are waited for. */
const regionCount = (options: ElasticsearchOptions): number => options.concurrency_max + 1

export function bulkEncoderBytes(options: ElasticsearchOptions): number {
  return regionCount(options) * (regionBytesOf(options) + 64) + bulkCodecBytes() + 64
}

export function createBulkEncoder(
  context: Pick<BackendContext<BulkBatch>, 'kernel' | 'clock' | 'offer' | 'refuse'>,
  options: ElasticsearchOptions,
): BulkEncoder {
  const { kernel, clock } = context
  const names = createIndexNames(options.index)
  const plain = createBulkCodec(kernel)
  const codec: BulkCodec = options.data_stream ? createTimestampSplice(kernel) : plain
  const regionBytes = regionBytesOf(options)
  const free = Array.from({ length: regionCount(options) }, () => kernel.alloc(regionBytes, 64))
  let target = options.batch_bytes
  let open: OpenBatch | undefined
  let progress: Progress | undefined

  function begin(frame: LoadedFrame, index: string): OpenBatch | undefined {
    const region = free.pop()
    if (region === undefined) return undefined
    const begunMs = clock.monotonic()
    return { region, index, begunMs, ordinal: frame.ordinal, parts: [], frames: [], out: region, records: 0 }
  }

  function close(): void {
    if (open === undefined) return
    const { region, out, records, parts, frames, index } = open
    open = undefined
    const body = Buffer.from(kernel.memory.buffer, region, out - region)
    // Safe once `attempt` has returned: an aborted request's socket is destroyed; one that was answered early has its length fixed.
    const release = () => void free.push(region)
    context.offer({ stage: 'first', index, body, bytes: body.length, records, parts, frames, release })
  }

  /** Appends what fits of a run; false when there is no region to append to. */
  function append(at: Progress, run: Run): boolean {
    open ??= begin(at.frame, run.index)
    if (open === undefined) return false
    const { header, seq } = at.frame
    codec.begin({ ...at.frame, count: header.count }, actionOf(header.id, run, open.index), tailOf(header.id))
    const limit = open.region + Math.min(regionBytes, target)
    let next = codec.append(at.next, run.to, open.out, limit)
    // A record over the target goes alone, as far as a region reaches.
    if (next === at.next && open.records === 0)
      next = codec.append(at.next, at.next + 1, open.out, open.region + regionBytes)
    if (next > at.next) {
      open.out = codec.out()
      open.records += next - at.next
      addPart(open.parts, seq, next - at.next)
      if (open.frames.length < open.parts.length) open.frames.push(header.id)
      at.next = next
    } else if (open.records === 0) {
      refuse(at)
    }
    if (at.next < run.to || open.out - open.region >= target) closeUnlessEmpty()
    return true
  }

  function closeUnlessEmpty(): void {
    if (open !== undefined && open.records > 0) close()
  }

  /** No region holds it: cannot happen below FRAME_BYTES_MAX, and must not stop the others if it does. */
  function refuse(at: Progress): void {
    const { frame, next } = at
    const record = recordText(kernel, frame, next)
    context.refuse([{ seq: frame.seq, frame: frame.header.id, n: next, reason: 'too_large', record }])
    at.next++
  }

  return {
    encode(frame) {
      if (progress?.frame !== frame)
        progress = { frame, runs: runsOf(frame, kernel, names, options.routing), run: 0, next: 0 }
      const at = progress
      for (let run = at.runs[at.run]; run !== undefined; run = at.runs[at.run]) {
        while (at.next < run.to) if (!append(at, run)) return false
        at.run++
      }
      progress = undefined
      return true
    },
    flush(begunMs) {
      if (open !== undefined && open.begunMs <= begunMs) closeUnlessEmpty()
      return open?.begunMs
    },
    relieve(ordinal) {
      if (open !== undefined && open.ordinal <= ordinal) closeUnlessEmpty()
    },
    shrink(bytes) {
      target = Math.max(BULK_BYTES_MIN, Math.min(target, Math.floor(bytes / 2)))
    },
    taken(bytes) {
      if (target < options.batch_bytes && bytes >= target * 0.9)
        target = Math.min(options.batch_bytes, target * 1.02)
    },
  }
}

/** The action line up to the record's number; the index is named only where it differs from that of the request's path. */
export function actionOf(frameId: string, run: Pick<Run, 'index' | 'routing'>, pathIndex: string): string {
  const index = run.index === pathIndex ? '' : `"_index":${JSON.stringify(run.index)},`
  const routing = run.routing === undefined ? '' : `"routing":${JSON.stringify(run.routing)},`
  return `{"create":{${index}${routing}"_id":"${frameId}-`
}

export function tailOf(frameId: string): string {
  return `,"batch_id":"${frameId}"}`
}
