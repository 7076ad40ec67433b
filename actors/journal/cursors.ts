// Saves the writers' cursors a few times a second and deletes the segments that all of them have passed.
import type { Clock } from '../../runtime/clock.js'
import type { Cursor } from '../../runtime/wal/cursor.js'
import type { SeqSet } from '../../runtime/wal/seq-set.js'
import type { Wal } from '../../runtime/wal/wal.js'
import type { Reservation } from './reservation.js'

export interface CursorKeeper {
  /** A cursor has moved. */
  touch(): void
  /** Frames wait for their reservation: saves at once, or once more as soon as the save under way has ended. */
  hurry(): void
  /** Resolves when the save that is under way has ended. */
  settled(): Promise<void>
  stop(): Promise<void>
}

export interface CursorKeeperOptions {
  readonly wal: Wal
  readonly clock: Clock
  readonly done: ReadonlyMap<string, SeqSet>
  readonly reservations: ReadonlyMap<string, Pick<Reservation, 'ranges' | 'saved' | 'saveFailed'>>
  /** Everything below may be deleted. */
  passed(): number
  /** Segments were deleted, or nothing stored is needed any more. */
  trimmed(): void
  failed(error: unknown): void
}

const SAVE_EVERY_MS = 250
/** After a failed save; a cursor that is not saved costs only a second delivery after a crash. */
const RETRY_MS = 5000

export function createCursorKeeper(options: CursorKeeperOptions): CursorKeeper {
  const { wal, clock } = options
  const saved = new Map<string, string>()
  let cancelTimer: (() => void) | undefined
  let saving: Promise<void> | undefined
  let touchedAgain = false
  let urgent = false
  let stopped = false

  async function save(): Promise<void> {
    const changed = new Map<string, Required<Cursor>>()
    for (const [backend, set] of options.done) {
      const cursor = { done: set.ranges(), sent: options.reservations.get(backend)?.ranges() }
      if (saved.get(backend) !== JSON.stringify(cursor)) changed.set(backend, cursor)
    }
    // What is deleted below is not needed by any cursor, the saved ones included.
    const passed = options.passed()
    await wal.saveCursors(changed)
    for (const [backend, cursor] of changed) {
      saved.set(backend, JSON.stringify(cursor))
      options.reservations.get(backend)?.saved(cursor.sent ?? [])
    }
    const before = wal.oldestSeq()
    await wal.trim(passed)
    if (wal.oldestSeq() !== before || passed === wal.tailSeq()) options.trimmed()
  }

  function run(): void {
    cancelTimer = undefined
    touchedAgain = false
    urgent = false
    saving = save()
      .then(
        () => SAVE_EVERY_MS,
        (error: unknown) => {
          options.failed(error)
          touchedAgain = true
          for (const reservation of options.reservations.values()) reservation.saveFailed()
          return RETRY_MS
        },
      )
      .then((delayMs) => {
        saving = undefined
        if (urgent && !stopped) run()
        else if (touchedAgain && !stopped) cancelTimer = clock.after(delayMs, run)
      })
  }

  return {
    touch() {
      if (stopped) return
      if (saving !== undefined) touchedAgain = true
      else cancelTimer ??= clock.after(SAVE_EVERY_MS, run)
    },
    hurry() {
      if (saving !== undefined) urgent = true
      else if (!stopped) {
        cancelTimer?.()
        run()
      }
    },
    settled: () => saving ?? Promise.resolve(),
    async stop() {
      stopped = true
      cancelTimer?.()
      await saving
      await save().catch((error: unknown) => options.failed(error))
    },
  }
}
