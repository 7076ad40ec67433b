// Turns: every file that has something to read gets one slab after the other, and the event loop its breath in between.
import type { Clock } from '../../../runtime/clock.js'
import type { TailFile } from './tail-file.js'

/** How long the thread reads before other events are served. */
const SLICE_MS = 4
/** Slabs after which they are served in any case. */
const SLICE_TURNS = 8

export interface Turns {
  enqueue(file: TailFile): void
  /** Stops at once, or goes on. */
  setOpen(open: boolean): void
  /** Files that wait for their turn. */
  length(): number
  stop(): void
}

export interface TurnsOptions {
  readonly clock: Clock
  /** Sends one slab at most; returns whether there is more at once. */
  turn(file: TailFile): boolean
  /** Called when nothing is left to read. */
  onEmpty(): void
  onError(error: unknown): void
}

export function createTurns({ clock, turn, onEmpty, onError }: TurnsOptions): Turns {
  let queue: TailFile[] = []
  let isOpen = true
  let stopped = false
  let scheduled = false

  function schedule(): void {
    if (scheduled || stopped || !isOpen || queue.length === 0) return
    scheduled = true
    setImmediate(run)
  }

  function run(): void {
    scheduled = false
    try {
      slice()
    } catch (error) {
      stopped = true
      onError(error)
    }
  }

  function slice(): void {
    const begunMs = clock.monotonic()
    for (let turns = 0; turns < SLICE_TURNS && isOpen && !stopped; turns++) {
      const file = queue.shift()
      if (file === undefined) break
      file.queued = false
      if (turn(file)) enqueue(file)
      if (clock.monotonic() - begunMs >= SLICE_MS) break
    }
    if (queue.length > 0) schedule()
    else if (!stopped) onEmpty()
  }

  function enqueue(file: TailFile): void {
    if (file.queued) return
    file.queued = true
    queue.push(file)
    schedule()
  }

  return {
    enqueue,
    setOpen(open) {
      isOpen = open
      schedule()
    },
    length: () => queue.length,
    stop() {
      stopped = true
      queue = []
    },
  }
}
