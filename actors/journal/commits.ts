// The queue of frames to be written, and the group commit: everything that waits goes to disk in one write and one fsync.
import type { FrameHeader } from '../../protocol/frame.js'
import type { Clock } from '../../runtime/clock.js'
import type { Slots } from '../../runtime/slots.js'
import { ENVELOPE_BYTES } from '../../runtime/wal/layout.js'
import type { Wal } from '../../runtime/wal/wal.js'

/** A frame in a slot that the journal has adopted and not yet committed. The slots bound their number. */
export interface PendingFrame {
  readonly slot: number
  readonly generation: number
  readonly rawBytes: number
  readonly encodedBytes: number
  readonly epoch: number
  readonly header: FrameHeader
}

export interface CommitsOptions {
  readonly wal: Wal
  readonly slots: Slots
  readonly clock: Clock
  readonly commitWaitMs: number
  readonly bytesMax: number
  /** Called in order, once the frames are durable. */
  committed(frames: readonly PendingFrame[], firstSeq: number): void
  /** The bound is reached. True when the batch may go on (space was made, or nothing stored is needed any more). */
  makeRoom(): Promise<boolean>
  blocked(blocked: boolean): void
  failed(error: unknown): void
}

export interface Commits {
  add(frame: PendingFrame): void
  /** Runs once everything that was added before is durable. */
  afterPresent(run: () => void): void
  /** Does not wait for more frames to gather. */
  flush(): void
  /** Segments were deleted, or nothing stored is needed any more: a blocked queue looks again. */
  roomChanged(): void
  idle(): boolean
  /** Resolves when all is written, or as soon as the disk or the bound makes that wait. */
  stop(): Promise<void>
  /** The disk refuses: stop() does not wait for it. */
  trouble(on: boolean): void
}

/** A gathering commit goes as soon as this much waits. */
const GATHER_BYTES_MAX = 1024 * 1024
const LOOK_AGAIN_MS = 1000

export function createCommits(options: CommitsOptions): Commits {
  const { wal, slots, clock } = options
  const queue: PendingFrame[] = []
  const waiting: { readonly after: number; run(): void }[] = []
  let queuedBytes = 0
  let addedTotal = 0
  let committedTotal = 0
  let running: Promise<void> | undefined
  let cancelTimer: (() => void) | undefined
  let wakeBlocked: (() => void) | undefined
  let troubled = false
  let stopping = false
  let abandoned = false
  let giveUp: (() => void) | undefined

  const entryBytes = (frame: PendingFrame) => ENVELOPE_BYTES + frame.encodedBytes

  function schedule(): void {
    if (running !== undefined || queue.length === 0) return
    const enough = queuedBytes >= GATHER_BYTES_MAX || slots.free() * 2 < slots.options.count
    if (enough || options.commitWaitMs <= 0) return flush()
    cancelTimer ??= clock.after(options.commitWaitMs, flush)
  }

  function flush(): void {
    cancelTimer?.()
    cancelTimer = undefined
    if (running !== undefined || queue.length === 0) return
    running = run()
      .catch((error: unknown) => {
        if (!stopping) options.failed(error)
      })
      .finally(() => {
        running = undefined
        // A frame may have come in between the last look at the queue and here.
        if (!stopping) schedule()
      })
  }

  async function run(): Promise<void> {
    let first = true
    while (queue.length > 0 && !abandoned) {
      // The first turn too: what was added in this very turn of the event loop goes along.
      if (first) await Promise.resolve()
      first = false
      const batch = takeFitting()
      if (batch.length === 0) {
        await makeRoom()
        continue
      }
      options.blocked(false)
      await write(batch)
    }
  }

  async function write(batch: readonly PendingFrame[]): Promise<void> {
    const firstSeq = await wal.append(
      batch.map(({ slot, encodedBytes, header }) => ({
        encoded: slots.encoded(slot).subarray(0, encodedBytes),
        madeMs: header.madeMs,
        positions: header.positions,
      })),
    )
    committedTotal += batch.length
    options.committed(batch, firstSeq)
    while (waiting[0] !== undefined && waiting[0].after <= committedTotal) waiting.shift()?.run()
  }

  function takeFitting(): PendingFrame[] {
    let room = options.bytesMax - wal.bytes()
    let frames = 0
    for (const frame of queue) {
      room -= entryBytes(frame)
      if (room < 0) break
      frames++
    }
    return take(frames)
  }

  function take(frames: number): PendingFrame[] {
    const batch = queue.splice(0, frames)
    for (const frame of batch) queuedBytes -= entryBytes(frame)
    return batch
  }

  async function makeRoom(): Promise<void> {
    if (await options.makeRoom()) {
      options.blocked(false)
      // One frame may go over the bound: a bound smaller than a frame would else stop the node for ever.
      if (queue.length > 0 && options.bytesMax - wal.bytes() < entryBytes(queue[0] as PendingFrame))
        await write(take(1))
      return
    }
    options.blocked(true)
    giveUp?.()
    await new Promise<void>((resolve) => {
      // Looks again by itself too: deleting may have failed for a reason that passes.
      const cancel = clock.after(LOOK_AGAIN_MS, resolve)
      wakeBlocked = () => {
        cancel()
        resolve()
      }
    })
    wakeBlocked = undefined
  }

  return {
    add(frame) {
      queue.push(frame)
      queuedBytes += entryBytes(frame)
      addedTotal++
      schedule()
    },
    afterPresent(run) {
      if (committedTotal === addedTotal) run()
      else {
        waiting.push({ after: addedTotal, run })
        flush()
      }
    },
    flush,
    roomChanged: () => wakeBlocked?.(),
    idle: () => committedTotal === addedTotal,
    trouble(on) {
      troubled = on
      if (on) giveUp?.()
    },
    async stop() {
      stopping = true
      flush()
      const stuck = troubled || wakeBlocked !== undefined
      if (running !== undefined && !stuck)
        await Promise.race([running, new Promise<void>((resolve) => (giveUp = resolve))])
      abandoned = true
      wakeBlocked?.()
    },
  }
}
