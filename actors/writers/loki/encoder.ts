// Encodes frames for Loki: entries go into the lane of their stream; a lane that is full or old becomes a compressed push.
import { createLokiCodec, lokiCodecBytes } from '../../../kernel/codec.js'
import { createSnappy, snappyBytes, snappyMaxLen } from '../../../kernel/snappy.js'
import type { LokiOptions } from '../../../protocol/config/backends.js'
import { FRAME_BYTES_MAX, INDEX_ENTRY_BYTES } from '../../../protocol/frame.js'
import { recordText } from '../record-text.js'
import {
  addPart,
  type BackendContext,
  type Batch,
  EVERYTHING,
  type LoadedFrame,
  type Refused,
} from '../writer.js'
import { addChunk, type Chunk, createLanes, type Lane, laneBytes, nextPush } from './lanes.js'
import { layOut } from './push.js'
import { type Segment, segmentsOf } from './segments.js'
import type { Streams } from './streams.js'

export interface PushBatch extends Batch {
  readonly lane: number
  /** A PushRequest as a snappy block. */
  readonly body: Buffer
  /** Size of the PushRequest. */
  readonly rawBytes: number
  /** Frame ids with their seq, for what has to be taken apart. */
  readonly frames: ReadonlyMap<string, number>
  /** Ids of the frames whose records may be at Loki already; empty once that was looked up. */
  readonly unsure: Set<string>
}

export interface LokiEncoder {
  encode(frame: LoadedFrame): boolean
  flush(begunMs: number): number | undefined
  relieve(ordinal: number): void
  /** The server finds pushes of this size too large. */
  shrink(rawBytes: number): void
  /** A push of this size was taken: after a shrink a little more may be tried again. */
  taken(rawBytes: number): void
}

/** Whatever the configuration says: above 4 MiB re-encoded (about 30 bytes an entry more) Loki answers a permanent 500. */
export const PUSH_BYTES_MAX = 3 * 1024 * 1024
const PUSH_BYTES_MIN = 64 * 1024
/** A canonical record has over 128 bytes. */
const RECORDS_MAX = FRAME_BYTES_MAX / (INDEX_ENTRY_BYTES + 32)

const pushTarget = (options: LokiOptions): number => Math.min(PUSH_BYTES_MAX, options.batch_bytes)
const regionBytes = (options: LokiOptions): number =>
  Math.max(pushTarget(options), options.line_bytes_max) + 64 * 1024
/** Labels are counted, so that the assembled push is never larger than the region and one chunk's labels. */
const scratchBytes = (options: LokiOptions): number => 2 * regionBytes(options) + 64 * 1024
const bodyCount = (options: LokiOptions): number => options.concurrency_max + 4
const codecSizes = { recordsMax: RECORDS_MAX, streamsMax: RECORDS_MAX, textBytesMax: 48 * 1024 }

export function lokiEncoderBytes(options: LokiOptions): number {
  const lanes = options.lanes * (regionBytes(options) + 64)
  const bodies = bodyCount(options) * (snappyMaxLen(scratchBytes(options)) + 64)
  return lanes + bodies + scratchBytes(options) + lokiCodecBytes(codecSizes) + snappyBytes() + 4096
}

/** A longer trace id or pod name would fail the entry at Loki; the line holds it anyway. Same for every try, so entries stay identical. */
const METADATA_VALUE_MAX = 1024

interface Progress {
  readonly frame: LoadedFrame
  stream: number
  segments: readonly Segment[]
  segment: number
  next: number
}

export function createLokiEncoder(
  context: Pick<BackendContext<PushBatch>, 'kernel' | 'clock' | 'offer' | 'refuse'>,
  options: LokiOptions,
  streams: Streams,
): LokiEncoder {
  const { kernel, clock } = context
  const codec = createLokiCodec(kernel, codecSizes)
  const snappy = createSnappy(kernel)
  const lanes = createLanes(kernel, options.lanes, regionBytes(options))
  const scratch = kernel.alloc(scratchBytes(options), 64)
  const freeBodies = Array.from({ length: bodyCount(options) }, () =>
    kernel.alloc(snappyMaxLen(scratchBytes(options)), 64),
  )
  let target = pushTarget(options)
  let progress: Progress | undefined
  // Of the frame in progress: views of the codec's memory.
  let order: Uint32Array = new Uint32Array(0)
  let starts: Uint32Array = new Uint32Array(0)
  let hasLong = false
  /** The pod for which the codec's metadata is set: rendering it anew for every stream costs more than its entries. */
  let metadataPod: string | undefined

  /** Turns what a lane holds into pushes; false when the memory for bodies ran out first. */
  function flushLane(lane: Lane): boolean {
    while (lane.chunks.length > 0) {
      const bodyPtr = freeBodies.pop()
      if (bodyPtr === undefined) return false
      const { groups, rest } = nextPush(lane.chunks)
      lane.chunks = rest
      offer(lane, groups, bodyPtr)
    }
    lane.out = lane.ptr
    lane.labelBytes = 0
    return true
  }

  function offer(lane: Lane, groups: readonly (readonly Chunk[])[], bodyPtr: number): void {
    const pieces = layOut(kernel, groups, scratch)
    const rawBytes = pieces.reduce((sum, piece) => sum + piece.bytes, 0)
    const bytes = snappy.compressParts(pieces, bodyPtr)
    const parts: { seq: number; records: number }[] = []
    const frames = new Map<string, number>()
    const unsure = new Set<string>()
    let records = 0
    for (const chunk of groups.flat()) {
      addPart(parts, chunk.seq, chunk.records)
      frames.set(chunk.frame, chunk.seq)
      if (chunk.suspect) unsure.add(chunk.frame)
      records += chunk.records
    }
    const body = Buffer.from(kernel.memory.buffer, bodyPtr, bytes)
    const release = () => void freeBodies.push(bodyPtr)
    context.offer({ lane: lane.number, body, bytes, rawBytes, records, parts, frames, unsure, release })
  }

  const record = (position: number): number => order[position] ?? 0
  const entryOf = (frame: LoadedFrame, position: number): number =>
    frame.indexPtr + record(position) * INDEX_ENTRY_BYTES
  /** i64 ns as ms; a double is off by at most 256 ns here, which only moves the edges of windows. */
  function timeMs(frame: LoadedFrame, position: number): number {
    const entry = entryOf(frame, position)
    return (kernel.view.getInt32(entry + 4, true) * 2 ** 32 + kernel.view.getUint32(entry, true)) / 1e6
  }

  const lengthOf = (entry: number): number => kernel.u32[(entry + 12) >>> 2] ?? 0

  function refused(frame: LoadedFrame, position: number, reason: string): Refused {
    const n = record(position)
    return { seq: frame.seq, frame: frame.header.id, n, reason, record: recordText(kernel, frame, n) }
  }

  /** The segments of a stream, without lines that Loki would refuse. */
  function prepare(frame: LoadedFrame, number: number): readonly Segment[] {
    const fields = frame.header.streams[number]
    const from = starts[number] ?? 0
    const to = starts[number + 1] ?? 0
    if (fields === undefined || from === to) return []
    const { pod_name: pod = '' } = fields
    const shownPod = pod.length <= METADATA_VALUE_MAX ? pod : ''
    if (shownPod !== metadataPod) {
      codec.setMetadata([
        ['batch_id', frame.header.id],
        ...(shownPod === '' ? [] : [['pod_name', shownPod] as const]),
      ])
      metadataPod = shownPod
    }
    const stream = streams.of(fields)
    const { segments, late } = segmentsOf(
      streams,
      stream,
      from,
      to,
      (position) => timeMs(frame, position),
      clock.now(),
    )
    const dead: Refused[] = []
    for (let position = from; position < late; position++)
      dead.push(refused(frame, position, 'too_far_behind'))
    const sound = hasLong ? segments.flatMap((segment) => withoutLong(frame, segment, dead)) : segments
    if (dead.length > 0) context.refuse(dead)
    return sound
  }

  function withoutLong(frame: LoadedFrame, segment: Segment, dead: Refused[]): readonly Segment[] {
    const pieces: Segment[] = []
    let from = segment.from
    for (let position = from; position < segment.to; position++) {
      if (lengthOf(entryOf(frame, position)) <= options.line_bytes_max) continue
      dead.push(refused(frame, position, 'line_too_long'))
      if (position > from) pieces.push({ ...segment, from, to: position })
      from = position + 1
    }
    if (from === segment.from) return [segment]
    if (from < segment.to) pieces.push({ ...segment, from })
    return pieces
  }

  /** Appends what fits of a segment to its lane; false when the lane is full and cannot be flushed. */
  function append(at: Progress, segment: Segment): boolean {
    const lane = lanes[segment.track.stream.lane] as Lane
    const { seq, ordinal, header, suspect } = at.frame
    const empty = lane.chunks.length === 0
    const room = Math.min(lane.limit, lane.ptr + Math.max(target - lane.labelBytes, 0))
    let next = codec.entries(at.next, segment.to, lane.out, room)
    // An entry over the target goes alone, as far as the lane's memory reaches.
    if (next === at.next && empty) next = codec.entries(at.next, at.next + 1, lane.out, lane.limit)
    if (next === at.next) {
      if (!empty) return flushLane(lane)
      context.refuse([refused(at.frame, at.next, 'too_large')])
      at.next++
      return true
    }
    const ptr = lane.out
    const fromMs = timeMs(at.frame, at.next)
    const { track, window } = segment
    addChunk(
      lane,
      {
        track,
        window,
        seq,
        frame: header.id,
        suspect,
        records: next - at.next,
        ptr,
        bytes: codec.out() - ptr,
        fromMs,
      },
      ordinal,
      clock,
    )
    at.next = next
    // Should there be no memory for the push now, the lane is found full at the next append.
    if (laneBytes(lane) >= target) flushLane(lane)
    return true
  }

  function advance(at: Progress): boolean {
    for (; at.stream < at.frame.header.streams.length; at.stream++) {
      for (; at.segment < at.segments.length; at.segment++) {
        const segment = at.segments[at.segment] as Segment
        at.next = Math.max(at.next, segment.from)
        while (at.next < segment.to) if (!append(at, segment)) return false
      }
      at.segments = prepare(at.frame, at.stream + 1)
      at.segment = 0
      at.next = 0
    }
    return true
  }

  function begin(frame: LoadedFrame): Progress {
    const { rawPtr, indexPtr, header } = frame
    codec.begin({ rawPtr, indexPtr, count: header.count }, header.streams.length, `${header.id}-`)
    order = codec.order()
    starts = codec.starts()
    hasLong = false
    metadataPod = undefined
    for (let n = 0; n < header.count; n++) {
      const entry = indexPtr + n * INDEX_ENTRY_BYTES
      if (lengthOf(entry) > options.line_bytes_max) hasLong = true
      if ((kernel.u32[(entry + 28) >>> 2] ?? 0) > METADATA_VALUE_MAX) kernel.u32[(entry + 28) >>> 2] = 0
    }
    return { frame, stream: 0, segments: prepare(frame, 0), segment: 0, next: 0 }
  }

  return {
    encode(frame) {
      if (progress?.frame !== frame) progress = begin(frame)
      if (!advance(progress)) return false
      progress = undefined
      return true
    },
    flush(begunMs) {
      let oldestMs = EVERYTHING
      for (const lane of lanes) {
        if (lane.chunks.length > 0 && lane.begunMs <= begunMs) flushLane(lane)
        if (lane.chunks.length > 0) oldestMs = Math.min(oldestMs, lane.begunMs)
      }
      return oldestMs === EVERYTHING ? undefined : oldestMs
    },
    relieve(ordinal) {
      for (const lane of lanes) if (lane.chunks.length > 0 && lane.ordinal <= ordinal) flushLane(lane)
    },
    shrink(rawBytes) {
      target = Math.max(PUSH_BYTES_MIN, Math.min(target, Math.floor(rawBytes / 2)))
    },
    taken(rawBytes) {
      const most = pushTarget(options)
      if (target < most && rawBytes >= target * 0.9) target = Math.min(most, target * 1.02)
    },
  }
}
