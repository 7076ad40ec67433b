// Frames on their way into JetStream: so many in flight, in order as far as nothing fails, each tried until the server has it.
import type { Clock } from '../../runtime/clock.js'
import { backoffMs, type RetryPolicy } from '../../runtime/retry.js'

export interface OutgoingFrame {
  readonly seq: number
  /** Of the frame, for its message id at the server. */
  readonly id: string
  readonly encoded: Uint8Array
  readonly rawBytes: number
  /** It may be there already: published before by an earlier life of the node, or without an answer. */
  again: boolean
}

/** Why a publish did not succeed; anything else that `publish` rejects with counts as unsure. */
export interface PublishFault {
  readonly reason: string
  /** The server has said that it has not stored the frame. */
  readonly refused: boolean
}

export interface Window {
  add(frame: OutgoingFrame): void
  /** Frames go out by this from now on; undefined: none go out. */
  open(publish: ((frame: OutgoingFrame) => Promise<void>) | undefined): void
  inFlight(): number
  waiting(): number
  /** Why the last try failed, while none has succeeded since. */
  fault(): string | undefined
  stop(): void
}

export interface WindowOptions {
  /** Frames in flight at most. */
  readonly size: number
  readonly retry: RetryPolicy
  readonly clock: Clock
  random(): number
  faultOf(error: unknown): PublishFault
  stored(frame: OutgoingFrame): void
  failed(fault: PublishFault, failures: number): void
}

export function createWindow(options: WindowOptions): Window {
  const { clock, size } = options
  /** By seq: what failed goes before what is newer. */
  const queue: OutgoingFrame[] = []
  let publish: ((frame: OutgoingFrame) => Promise<void>) | undefined
  let inFlight = 0
  let failures = 0
  let fault: string | undefined
  let cancelPause: (() => void) | undefined

  async function send(frame: OutgoingFrame, by: (frame: OutgoingFrame) => Promise<void>): Promise<void> {
    try {
      await by(frame)
      failures = 0
      fault = undefined
      inFlight--
      options.stored(frame)
    } catch (error) {
      inFlight--
      const found = options.faultOf(error)
      if (!found.refused) frame.again = true
      giveBack(frame)
      // What else was in flight fails for the same cause: one pause for all of them.
      if (cancelPause === undefined && publish !== undefined) pause()
      fault = found.reason
      options.failed(found, failures)
    }
    pump()
  }

  function giveBack(frame: OutgoingFrame): void {
    const at = queue.findIndex(({ seq }) => seq > frame.seq)
    queue.splice(at < 0 ? queue.length : at, 0, frame)
  }

  function pause(): void {
    failures++
    const delayMs = backoffMs(options.retry, failures, () => options.random())
    cancelPause = clock.after(delayMs, () => {
      cancelPause = undefined
      pump()
    })
  }

  function pump(): void {
    // After a fault one frame is the probe: a full stream is not answered with a whole window each time.
    const most = failures > 0 ? 1 : size
    while (publish !== undefined && cancelPause === undefined && inFlight < most) {
      const frame = queue.shift()
      if (frame === undefined) return
      inFlight++
      void send(frame, publish)
    }
  }

  function endPause(): void {
    cancelPause?.()
    cancelPause = undefined
  }

  return {
    add(frame) {
      giveBack(frame)
      pump()
    },
    open(by) {
      publish = by
      endPause()
      if (by === undefined) return
      failures = 0
      pump()
    },
    inFlight: () => inFlight,
    waiting: () => queue.length,
    fault: () => fault,
    stop() {
      publish = undefined
      endPause()
    },
  }
}
