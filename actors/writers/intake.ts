// Takes frames from the journal into the writer's own memory: straight into the encoder when it is free, else into a bounded queue.
import type { FrameCodec } from '../../runtime/frame-codec.js'
import { readFrameHeader } from '../../runtime/frame-codec.js'
import type { Slots } from '../../runtime/slots.js'
import { type FrameHeader, indexOffset } from '../../protocol/frame.js'
import type { FrameMessage } from '../../protocol/messages.js'
import type { LoadedFrame } from './writer.js'

export interface Intake {
  /** Copies what it needs before it returns: the slot may be given back. */
  accept(message: FrameMessage): void
  /** Goes on encoding where memory ran out; call after a batch was released. */
  pump(): void
  /** Frames that wait for the encoder. */
  waiting(): number
}

export interface IntakeOptions {
  readonly codec: FrameCodec
  readonly slots: Slots
  /** Headers by seq, shared by the writers of one thread: each frame's is decoded once. */
  readonly headers: Map<number, FrameHeader>
  encode(frame: LoadedFrame): boolean
  /** Books the frame; undefined: it is owed already, leave it. */
  begin(seq: number, header: FrameHeader, bytes: number): number | undefined
  /** A frame that does not verify: nothing of it can be sent. */
  corrupt(seq: number, error: unknown): void
}

interface Waiting {
  readonly seq: number
  readonly rawBytes: number
  /** From a slot: the raw body, copied. From disk: the encoded frame. */
  readonly bytes: Uint8Array
  readonly header: FrameHeader | undefined
  readonly suspect: boolean
}

/** The journal's credit bounds the queue; this many buffers are kept for reuse, of which only what was used is resident. */
const SPARE_BUFFERS = 32
/** Writers of one thread get a frame one right after the other. */
const HEADERS_MAX = 16

export function createIntake(options: IntakeOptions): Intake {
  const { codec, slots } = options
  const queue: Waiting[] = []
  const spare: Buffer[] = []
  let current: LoadedFrame | undefined

  /** Returns false when the frame cannot be encoded whole yet: it then stays `current`, in kernel memory. */
  function run(frame: LoadedFrame): boolean {
    current = options.encode(frame) ? undefined : frame
    return current === undefined
  }

  function loadRaw(seq: number, header: FrameHeader, raw: Uint8Array, suspect: boolean): void {
    const ordinal = options.begin(seq, header, raw.length)
    if (ordinal === undefined || header.count === 0) return
    const rawPtr = codec.load(raw)
    run({ seq, ordinal, header, rawPtr, indexPtr: rawPtr + indexOffset(header.ndjsonBytes), suspect })
  }

  function loadEncoded(seq: number, encoded: Uint8Array, rawBytes: number, suspect: boolean): void {
    let opened: ReturnType<FrameCodec['open']>
    try {
      opened = codec.open(encoded)
    } catch (error) {
      return options.corrupt(seq, error)
    }
    const { header, rawPtr, indexPtr } = opened
    const ordinal = options.begin(seq, header, rawBytes)
    if (ordinal === undefined || header.count === 0) return
    run({ seq, ordinal, header, rawPtr, indexPtr, suspect })
  }

  /** A copy in a reused buffer: buffers of one size (that of a slot) fit every frame. */
  function copyRaw(raw: Uint8Array): Uint8Array {
    const buffer = spare.pop() ?? Buffer.allocUnsafeSlow(slots.options.rawBytesMax)
    buffer.set(raw)
    return buffer.subarray(0, raw.length)
  }

  function giveBack(bytes: Uint8Array): void {
    if (spare.length < SPARE_BUFFERS) spare.push(Buffer.from(bytes.buffer))
  }

  function pump(): void {
    if (current !== undefined && !run(current)) return
    while (current === undefined) {
      const next = queue.shift()
      if (next === undefined) return
      if (next.header === undefined) {
        loadEncoded(next.seq, next.bytes, next.rawBytes, next.suspect)
      } else {
        loadRaw(next.seq, next.header, next.bytes, next.suspect)
        giveBack(next.bytes)
      }
    }
  }

  function headerOf(seq: number, encoded: Uint8Array): FrameHeader {
    const known = options.headers.get(seq)
    if (known !== undefined) return known
    const { header } = readFrameHeader(encoded)
    for (const oldest of options.headers.keys()) {
      if (options.headers.size < HEADERS_MAX) break
      options.headers.delete(oldest)
    }
    options.headers.set(seq, header)
    return header
  }

  return {
    accept({ seq, slot, encoded, rawBytes, encodedBytes, suspect = false }) {
      const busy = current !== undefined || queue.length > 0
      if (slot === undefined) {
        const bytes = encoded ?? new Uint8Array(0)
        if (busy) queue.push({ seq, rawBytes, bytes, header: undefined, suspect })
        else loadEncoded(seq, bytes, rawBytes, suspect)
        return
      }
      let header: FrameHeader
      try {
        header = headerOf(seq, slots.encoded(slot).subarray(0, encodedBytes))
      } catch (error) {
        return options.corrupt(seq, error)
      }
      const raw = slots.raw(slot).subarray(0, rawBytes)
      if (busy) queue.push({ seq, rawBytes, header, bytes: copyRaw(raw), suspect })
      else loadRaw(seq, header, raw, suspect)
    },
    pump,
    waiting: () => queue.length + (current === undefined ? 0 : 1),
  }
}
