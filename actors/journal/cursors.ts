// Saves the writers' cursors a few times a second and deletes the segments that all of them have passed.
import type { Clock } from '../../runtime/clock.js'
import type { SeqRange, SeqSet } from '../../runtime/wal/seq-set.js'
import type { Wal } from '../../runtime/wal/wal.js'

export interface CursorKeeper {
  /** A cursor has moved. */
  touch(): void
  stop(): Promise<void>
}

export interface CursorKeeperOptions {
  readonly wal: Wal
  readonly clock: Clock
  readonly done: ReadonlyMap<string, SeqSet>
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
  let stopped = false

  async function save(): Promise<void> {
    const changed = new Map<string, readonly SeqRange[]>()
    for (const [backend, set] of options.done) {
      const ranges = set.ranges()
      if (saved.get(backend) !== JSON.stringify(ranges)) changed.set(backend, ranges)
    }
    // What is deleted below is not needed by any cursor, the saved ones included.
    const passed = options.passed()
    await wal.saveCursors(changed)
    for (const [backend, ranges] of changed) saved.set(backend, JSON.stringify(ranges))
    const before = wal.oldestSeq()
    await wal.trim(passed)
    if (wal.oldestSeq() !== before || passed === wal.tailSeq()) options.trimmed()
  }

  function run(): void {
    cancelTimer = undefined
    touchedAgain = false
    saving = save()
      .then(
        () => SAVE_EVERY_MS,
        (error: unknown) => {
          options.failed(error)
          touchedAgain = true
          return RETRY_MS
        },
      )
      .then((delayMs) => {
        saving = undefined
        if (touchedAgain && !stopped) cancelTimer = clock.after(delayMs, run)
      })
  }

  return {
    touch() {
      if (stopped) return
      if (saving !== undefined) touchedAgain = true
      else cancelTimer ??= clock.after(SAVE_EVERY_MS, run)
    },
    async stop() {
      stopped = true
      cancelTimer?.()
      await saving
      await save().catch((error: unknown) => options.failed(error))
    },
  }
}
