// Encodes the records of a frame for Loki, inside kernel memory: grouped by stream, sorted by time, as protobuf StreamAdapters.
import type { KernelFrame } from './codec.js'
import { encodeMetadata } from './codec-metadata.js'
import { createKernelText, kernelTextBytes } from './codec-text.js'
import type { CodecKernel } from './exports-codec.js'

export interface LokiCodecOptions {
  /** Most records of a frame. */
  readonly recordsMax: number
  /** Most streams of a frame. */
  readonly streamsMax: number
  /** Most bytes of a label set, and of the metadata of an entry. Default 8,192. */
  readonly textBytesMax?: number
}

export interface LokiCodec {
  /**
   * Sets the frame, groups its records by stream and sorts each group by time. `ridPrefix` is `<frame id>-`. Forgets labels and metadata.
   * Throws an error with code `kernel.loki_room` when the frame has more records or streams than the codec was made for.
   */
  begin(frame: KernelFrame, streams: number, ridPrefix: string): void
  /** Record numbers by stream and time; view, valid until the next begin. */
  order(): Uint32Array
  /** Stream s lies at order()[starts()[s]] to order()[starts()[s + 1]]; view, valid until the next begin. */
  starts(): Uint32Array
  /** The labels of the stream() calls that follow, as Loki writes them: `{a="b", c="d"}`. */
  setLabels(labels: string | Uint8Array): void
  /** Structured metadata of every entry that follows, beside `rid` and `trace_id`: name and value pairs. */
  setMetadata(pairs: readonly (readonly [string, string])[]): void
  /** Writes entries of positions [from, to) of order() as field 2 of a StreamAdapter; returns the first position that did not fit. */
  entries(from: number, to: number, outPtr: number, outLimit: number): number
  /** The same as one whole StreamAdapter, field 1 of a PushRequest; writes nothing when not even one entry fits. */
  stream(from: number, to: number, outPtr: number, outLimit: number): number
  /** Address after the last byte that entries or stream wrote. */
  out(): number
}

const TEXT_BYTES_MAX = 8192
const RID_BYTES_MAX = 256

/** Kernel memory that createLokiCodec takes. */
export function lokiCodecBytes(options: LokiCodecOptions): number {
  const texts = 2 * kernelTextBytes(options.textBytesMax ?? TEXT_BYTES_MAX) + kernelTextBytes(RID_BYTES_MAX)
  return texts + 4 * (options.recordsMax + options.streamsMax + 1) + 32
}

export function createLokiCodec(kernel: CodecKernel, options: LokiCodecOptions): LokiCodec {
  const { fn } = kernel
  const { recordsMax, streamsMax, textBytesMax = TEXT_BYTES_MAX } = options
  const labels = createKernelText(kernel, textBytesMax, 'loki labels')
  const metadata = createKernelText(kernel, textBytesMax, 'loki metadata')
  const rid = createKernelText(kernel, RID_BYTES_MAX, 'loki rid prefix')
  const orderPtr = kernel.alloc(recordsMax * 4)
  const startsPtr = kernel.alloc((streamsMax + 1) * 4)
  let frame: KernelFrame = { rawPtr: 0, indexPtr: 0, count: 0 }
  let streams = 0

  function begin(nextFrame: KernelFrame, nextStreams: number, ridPrefix: string): void {
    if (nextFrame.count > recordsMax || nextStreams > streamsMax) {
      const message = `loki: a frame of ${nextFrame.count} records in ${nextStreams} streams, but the codec has room for ${recordsMax} in ${streamsMax}`
      throw Object.assign(new Error(message), { code: 'kernel.loki_room' })
    }
    rid.set(ridPrefix)
    labels.set('')
    metadata.set('')
    frame = nextFrame
    streams = nextStreams
    fn.lokiGroup(frame.indexPtr, frame.count, streams, orderPtr, startsPtr)
  }

  /** The parts of both calls: records, and what every entry gets. */
  const records = (from: number, to: number) => {
    const end = Math.min(to, frame.count)
    return [frame.rawPtr, frame.indexPtr, orderPtr, Math.min(from, end), end] as const
  }
  const extras = () => [metadata.ptr, metadata.length(), rid.ptr, rid.length()] as const

  return {
    begin,
    order: () => kernel.u32.subarray(orderPtr >>> 2, (orderPtr >>> 2) + frame.count),
    starts: () => kernel.u32.subarray(startsPtr >>> 2, (startsPtr >>> 2) + streams + 1),
    setLabels: (text) => labels.set(text),
    setMetadata: (pairs) => metadata.set(encodeMetadata(pairs)),
    entries: (from, to, outPtr, outLimit) =>
      fn.lokiEntries(...records(from, to), ...extras(), outPtr, outLimit),
    stream: (from, to, outPtr, outLimit) =>
      fn.lokiStream(...records(from, to), labels.ptr, labels.length(), ...extras(), outPtr, outLimit),
    out: () => fn.lokiOut(),
  }
}
