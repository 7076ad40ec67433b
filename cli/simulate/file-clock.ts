// The time at which a file's lines come, from what each says of its own: it never goes back, and one wild time does not move it.

export interface FileClock {
  /** The time of the next line; `ownMs` undefined where it says none. */
  at(ownMs: number | undefined): number
  readonly counts: { untimed: number; late: number; wild: number }
}

/** A leap forward by more is believed only when the next line with a time confirms it. */
const LEAP_MS = 3_600_000
/** Lines of several threads are not in order to the second. */
const LATE_MS = 2000

/** `firstMs` is the time of lines before the first that says one. */
export function createFileClock(firstMs: number): FileClock {
  let nowMs = firstMs
  let leapMs: number | undefined
  const counts = { untimed: 0, late: 0, wild: 0 }
  return {
    counts,
    at(ownMs) {
      if (ownMs === undefined) counts.untimed++
      else if (ownMs - nowMs > LEAP_MS) {
        const confirmed = leapMs !== undefined && Math.abs(ownMs - leapMs) <= LEAP_MS
        leapMs = ownMs
        if (confirmed) {
          nowMs = ownMs
          leapMs = undefined
          counts.wild--
        } else counts.wild++
      } else {
        leapMs = undefined
        if (ownMs < nowMs - LATE_MS) counts.late++
        nowMs = Math.max(nowMs, ownMs)
      }
      return nowMs
    },
  }
}
