// Seals the open frame into a slot and hands it to the journal; keeps account of frames that are not committed yet.
import { nanoid } from 'nanoid'
import type { Scanner } from '../../kernel/scanner.js'
import type { FrameHeader } from '../../protocol/frame.js'
import type { ActorContext } from '../../runtime/actor.js'
import type { FrameCodec } from '../../runtime/frame-codec.js'
import type { OriginPositions } from './origins.js'
import type { Streams } from './streams.js'

export interface Sealer {
  /** Seals what is open: records, positions, or both. Waits for a slot when none is free. Returns tokens that need no commit. */
  seal(): number[]
  /** A pushing client waits for what has been emitted so far. */
  wait(token: number): void
  waiting(): boolean
  /** The journal has made this many more frames durable; returns the tokens that are answered. */
  committed(frames: number): number[]
  inFlight(): number
}

/** The longest single wait for a slot; then it is looked at again, so that a lost wake-up costs no more. */
const SLOT_WAIT_MS = 20

export function createSealer(
  context: ActorContext,
  scanner: Scanner,
  codec: FrameCodec,
  /** Room behind the frame's first byte, in which the index is put behind the records without a copy of them. */
  roomBytes: number,
  streams: Streams,
  origins: OriginPositions,
): Sealer {
  const { slots } = context
  const pause = new Int32Array(new SharedArrayBuffer(4))
  /** Tokens by frame in flight, oldest first. */
  const flights: number[][] = []
  let tokens: number[] = []

  function acquire(): number {
    for (;;) {
      const slot = slots.acquire(context.epoch)
      if (slot >= 0) return slot
      // Rare: reading stops before slots run out, and what was read before takes few frames, unless its lines are so short that the
      // index fills each. No dead-lock: the journal runs in another thread, wants nothing of this one, and takes slots from writers.
      Atomics.wait(pause, 0, 0, SLOT_WAIT_MS)
    }
  }

  /** Nothing is open: what waiting clients sent is in the frames in flight, or was sampled out. */
  function settle(): number[] {
    const last = flights.at(-1)
    const settled = last === undefined ? tokens : []
    if (last !== undefined) last.push(...tokens)
    tokens = []
    return settled
  }

  return {
    seal() {
      const info = scanner.sealInfo()
      if (info.count === 0 && !origins.dirty()) return settle()
      const header: Omit<FrameHeader, 'v' | 'codec' | 'ndjsonBytes'> = {
        id: nanoid(),
        node: context.node.id,
        madeMs: context.clock.now(),
        count: info.count,
        streams: streams.fields(info.streamIds),
        positions: origins.take(),
        minTsMs: info.minTsMs,
        maxTsMs: info.maxTsMs,
      }
      const slot = acquire()
      const sealed = codec.seal(
        {
          header,
          ndjsonPtr: info.ndjsonPtr,
          ndjsonBytes: info.ndjsonBytes,
          indexPtr: info.indexPtr,
          roomBytes,
        },
        { raw: slots.raw(slot), encoded: slots.encoded(slot) },
      )
      flights.push(tokens)
      tokens = []
      scanner.beginFrame()
      context.metrics.add('frames_sealed_total', 1)
      const { rawBytes, encodedBytes } = sealed
      context.send('journal', { type: 'append', slot, rawBytes, encodedBytes, epoch: context.epoch })
      return []
    },
    wait: (token) => void tokens.push(token),
    waiting: () => tokens.length > 0,
    committed: (frames) => flights.splice(0, frames).flat(),
    inFlight: () => flights.length,
  }
}
