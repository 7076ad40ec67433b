// How fast a writer takes its frames: one that keeps pace is worth waiting for, since reading frames back for it costs more.
import type { Clock } from '../../runtime/clock.js'

export interface Pace {
  /** The writer was given a frame. */
  taken(bytes: number): void
  /** How long a frame that this writer is going to take stays in memory when slots are short, ms. */
  waitMs(): number
}

/** Any writer is waited for so long: 12 slots a period keep ingest above 50 MB/s whatever the writers do. */
const WAIT_MS = 100
/** One that keeps pace is waited for so long. */
const WAIT_PACE_MS = 1000
/** It keeps pace while it has taken this many bytes in PERIOD_MS: ingest never waits for a writer that is slower than 10 MB/s. */
const PACE_BYTES = 5 * 1000 * 1000
const PERIOD_MS = 500

export function createPace(clock: Pick<Clock, 'monotonic'>): Pace {
  let bytes = 0
  let sinceMs = clock.monotonic()
  let keptLast = false

  /** Found out anew for every period; a period without frames ends the last one's word as well. */
  function turn(): void {
    const periods = Math.floor((clock.monotonic() - sinceMs) / PERIOD_MS)
    if (periods === 0) return
    keptLast = periods === 1 && bytes >= PACE_BYTES
    bytes = 0
    sinceMs += periods * PERIOD_MS
  }

  return {
    taken(taken) {
      turn()
      bytes += taken
    },
    waitMs() {
      turn()
      return keptLast || bytes >= PACE_BYTES ? WAIT_PACE_MS : WAIT_MS
    },
  }
}
