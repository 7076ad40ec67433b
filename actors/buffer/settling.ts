// Frames that JetStream has acknowledged, until it is sure that every backend's consumer was there for them: only then may the journal let go.
import type { Clock } from '../../runtime/clock.js'
import type { OutgoingFrame } from './window.js'
import { saidOf } from '../../protocol/errors.js'

/*
 * JetStream keeps a message for the consumers that are there when it comes, and acknowledges it whoever is missing: a backend whose
 * consumer somebody removed would not get it, and nobody would know. So a frame counts as delivered when a look at the consumers that
 * began after its acknowledgement finds the same ones as before it was published. One look is for all frames that wait.
 */

export interface Settling {
  /** The server has the frame; `consumers` names those that were there before it was published. */
  stored(frame: OutgoingFrame, consumers: string): void
  /** How to see which consumers are there, from now on; undefined: there is no connection. */
  open(look: (() => Promise<string>) | undefined): void
  /** Nothing more is to come for now: looks at once, and from here on without waiting. */
  hurry(): void
  frames(): number
  /** Why the last look failed, while none has succeeded since. */
  fault(): string | undefined
  stop(): void
}

export interface SettlingOptions {
  readonly clock: Clock
  /** Raw bytes of waiting frames at which it looks at once. */
  readonly bytesMax: number
  /** In the hands of every backend's consumer. */
  settled(frames: readonly OutgoingFrame[]): void
  /** The consumers are others than when these were published: they are to be published again. */
  missed(frames: readonly OutgoingFrame[]): void
}

/** Few frames wait so long for each other: a look is a question to the leader of each consumer. */
const LOOK_AFTER_MS = 2000

interface Waiting {
  readonly frame: OutgoingFrame
  readonly consumers: string
}

export function createSettling({ clock, bytesMax, settled, missed }: SettlingOptions): Settling {
  let waiting: Waiting[] = []
  let looked: readonly Waiting[] = []
  let bytes = 0
  let ask: (() => Promise<string>) | undefined
  let isLooking = false
  let isHurried = false
  let fault: string | undefined
  let cancel: (() => void) | undefined

  function plan(): void {
    if (ask === undefined || isLooking || waiting.length === 0) return
    if (fault === undefined && (isHurried || bytes >= bytesMax)) return void look(ask)
    cancel ??= clock.after(LOOK_AFTER_MS, () => {
      cancel = undefined
      if (ask !== undefined && !isLooking) void look(ask)
    })
  }

  async function look(by: () => Promise<string>): Promise<void> {
    cancel?.()
    cancel = undefined
    isLooking = true
    // What is acknowledged while the answer is on its way may be younger than what the answer says.
    const seen = waiting
    looked = seen
    waiting = []
    try {
      const found = await by()
      fault = undefined
      looked = []
      decide(seen, found)
    } catch (error) {
      // On another connection it may be another look that says so.
      if (by === ask) fault = saidOf(error)
      looked = []
      waiting = [...seen, ...waiting]
    }
    isLooking = false
    plan()
  }

  function decide(seen: readonly Waiting[], found: string): void {
    for (const { frame } of seen) bytes -= frame.rawBytes
    const of = (same: boolean) =>
      seen.filter(({ consumers }) => (consumers === found) === same).map(({ frame }) => frame)
    const [there, gone] = [of(true), of(false)]
    if (there.length > 0) settled(there)
    if (gone.length > 0) missed(gone)
  }

  return {
    stored(frame, consumers) {
      waiting.push({ frame, consumers })
      bytes += frame.rawBytes
      plan()
    },
    open(next) {
      ask = next
      fault = undefined
      cancel?.()
      cancel = undefined
      plan()
    },
    hurry() {
      isHurried = true
      plan()
    },
    frames: () => waiting.length + looked.length,
    fault: () => fault,
    stop() {
      ask = undefined
      cancel?.()
    },
  }
}
