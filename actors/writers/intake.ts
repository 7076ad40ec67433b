// Takes frames from the journal into the writer's own memory: straight into the encoder when it is free, else into a bounded queue.
import type { FrameCodec } from '../../runtime/frame-codec.js'
import { readFrameHeader } from '../../runtime/frame-codec.js'
import { demandUnchanged, type Slots } from '../../runtime/slots.js'
import { type FrameHeader, indexOffset } from '../../protocol/frame.js'
import type { FrameMessage } from '../../protocol/messages.js'
import type { FrameHeaders } from '../frame-headers.js'
import type { HeldFrame, ThreadMemory } from './thread-memory.js'
import type { LoadedFrame } from './writer.js'

export interface Intake {
  /**
   * Copies what it needs before it returns: the slot may be given back. Throws `writer.slot` when the slot was filled again before the
   * copy was done: the writer then has to begin anew, and gets the frame again.
   */
  accept(message: FrameMessage): void
  /** Goes on encoding where memory ran out; call after a batch was released. */
  pump(): void
  /** Frames that wait for the encoder. */
  waiting(): number
}

export interface IntakeOptions {
  readonly codec: FrameCodec
  readonly slots: Slots
  /** Memory of the thread, in which its writers share frames. */
  readonly hold: ThreadMemory['hold']
  readonly headers: FrameHeaders
  encode(frame: LoadedFrame): boolean
  /** Books the frame; undefined: it is owed already, leave it. */
  begin(seq: number, header: FrameHeader, bytes: number): number | undefined
  /** A frame that does not verify: nothing of it can be sent. */
  corrupt(seq: number, error: unknown): void
}

type Waiting = { readonly seq: number; readonly rawBytes: number; readonly suspect: boolean } & (
  | { readonly at: 'held'; readonly held: HeldFrame; readonly header: FrameHeader }
  /** No room was left beside it: a copy of the raw body. */
  | { readonly at: 'copied'; readonly raw: Uint8Array; readonly header: FrameHeader }
  | { readonly at: 'disk'; readonly encoded: Uint8Array }
)

/** The journal's credit bounds the queue; this many buffers are kept for reuse, of which only what was used is resident. */
const SPARE_BUFFERS = 32

export function createIntake(options: IntakeOptions): Intake {
  const { codec, slots } = options
  const queue: Waiting[] = []
  const spare: Buffer[] = []
  let current: { readonly frame: LoadedFrame; readonly release?: () => void } | undefined

  /** Returns false when the frame cannot be encoded whole yet: it then stays `current`, in kernel memory. */
  function run(work: NonNullable<typeof current>): boolean {
    current = work
    if (!options.encode(work.frame)) return false
    current = undefined
    work.release?.()
    return true
  }

  function loadRaw(
    { seq, rawBytes, suspect }: Waiting,
    header: FrameHeader,
    rawPtr: () => number,
    release?: () => void,
  ): void {
    const ordinal = options.begin(seq, header, rawBytes)
    if (ordinal === undefined || header.count === 0) return release?.()
    const at = rawPtr()
    const frame = {
      seq,
      ordinal,
      header,
      rawPtr: at,
      indexPtr: at + indexOffset(header.ndjsonBytes),
      suspect,
    }
    run({ frame, ...(release === undefined ? {} : { release }) })
  }

  function loadEncoded({ seq, rawBytes, suspect }: Waiting, encoded: Uint8Array): void {
    let opened: ReturnType<FrameCodec['open']>
    try {
      opened = codec.open(encoded)
    } catch (error) {
      return options.corrupt(seq, error)
    }
    const { header, rawPtr, indexPtr } = opened
    const ordinal = options.begin(seq, header, rawBytes)
    if (ordinal === undefined || header.count === 0) return
    run({ frame: { seq, ordinal, header, rawPtr, indexPtr, suspect } })
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

  function load(next: Waiting): void {
    switch (next.at) {
      case 'held':
        return loadRaw(next, next.header, () => next.held.rawPtr, next.held.release)
      case 'copied':
        loadRaw(next, next.header, () => codec.load(next.raw))
        return giveBack(next.raw)
      case 'disk':
        return loadEncoded(next, next.encoded)
    }
  }

  function pump(): void {
    if (current !== undefined && !run(current)) return
    while (current === undefined) {
      const next = queue.shift()
      if (next === undefined) return
      load(next)
    }
  }

  function headerOf(seq: number, encoded: Uint8Array): FrameHeader {
    const known = options.headers.get(seq)
    if (known !== undefined) return known
    const { header } = readFrameHeader(encoded)
    options.headers.put(seq, header)
    return header
  }

  /** Out of the slot: into memory that the writers of this thread share, else into a buffer. */
  function takeOut(
    seq: number,
    slot: number,
    rawBytes: number,
    encodedBytes: number,
    suspect: boolean,
  ): Waiting {
    const header = headerOf(seq, slots.encoded(slot).subarray(0, encodedBytes))
    const raw = slots.raw(slot).subarray(0, rawBytes)
    const held = options.hold(seq, raw)
    if (held !== undefined) return { seq, rawBytes, suspect, at: 'held', held, header }
    return { seq, rawBytes, suspect, at: 'copied', raw: copyRaw(raw), header }
  }

  return {
    accept(message) {
      const { seq, slot, encoded, rawBytes, encodedBytes, suspect = false } = message
      let next: Waiting
      try {
        next =
          slot === undefined
            ? { seq, rawBytes, suspect, at: 'disk', encoded: encoded ?? new Uint8Array(0) }
            : takeOut(seq, slot, rawBytes, encodedBytes, suspect)
      } catch (error) {
        demandUnchanged(slots, message)
        return options.corrupt(seq, error)
      }
      demandUnchanged(slots, message)
      if (current !== undefined || queue.length > 0) queue.push(next)
      else load(next)
    },
    pump,
    waiting: () => queue.length + (current === undefined ? 0 : 1),
  }
}
