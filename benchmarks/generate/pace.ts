// Paces traffic in real time: so many records a second, bursts, until so many are written or so long has passed.
import type { Clock } from '../../runtime/clock.js'
import type { Traffic } from './traffic.js'

export interface PaceOptions {
  /** Records per second of all pods; 0: as fast as the disk takes them. */
  readonly rate: number
  /** Stops after so many. */
  readonly records?: number | undefined
  /** Stops after so long. */
  readonly durationMs?: number | undefined
  readonly burst?: Burst | undefined
}

/** Every `everyMs` for `lengthMs` the rate is `factor` times as high, and some services have the mix of an outage. */
export interface Burst {
  readonly everyMs: number
  readonly lengthMs: number
  readonly factor: number
}

const TICK_MS = 10
/** What one step writes where there is no rate: enough that the clock costs nothing, few enough that a stop is heard. */
const UNPACED_RECORDS = 20_000
/** A process that was stopped for longer than this does not write all that it missed at once. */
const BACKLOG_MS_MAX = 1000

/** Resolves when the traffic has ended or `stop` is aborted. What it writes in each tick is what is due by then: it never slows down to match. */
export function paceTraffic(
  traffic: Traffic,
  options: PaceOptions,
  clock: Clock,
  stop: AbortSignal,
): Promise<void> {
  const startMs = clock.monotonic()
  const wallMs = clock.now() - startMs
  let lastMs = startMs
  let owed = 0
  const left = (): number => (options.records ?? Number.POSITIVE_INFINITY) - traffic.written()
  const isOver = (nowMs: number): boolean =>
    stop.aborted || left() <= 0 || nowMs - startMs >= (options.durationMs ?? Number.POSITIVE_INFINITY)

  function step(nowMs: number): void {
    const burst = inBurst(nowMs - startMs, options.burst)
    const fromMs = Math.max(lastMs, nowMs - BACKLOG_MS_MAX)
    owed +=
      options.rate === 0
        ? UNPACED_RECORDS
        : ((nowMs - fromMs) / 1000) * options.rate * (burst ? (options.burst?.factor ?? 1) : 1)
    lastMs = nowMs
    const count = Math.min(Math.floor(owed), left())
    owed -= Math.floor(owed)
    if (count > 0) traffic.write(count, wallMs + fromMs, wallMs + nowMs, burst)
  }

  return new Promise((resolve, reject) => {
    const next = (): void => {
      try {
        const nowMs = clock.monotonic()
        step(nowMs)
        if (isOver(clock.monotonic())) resolve()
        else if (options.rate === 0) setImmediate(next)
        else clock.after(TICK_MS, next)
      } catch (error) {
        reject(error as Error)
      }
    }
    next()
  })
}

export function inBurst(elapsedMs: number, burst: Burst | undefined): boolean {
  return burst !== undefined && elapsedMs % burst.everyMs >= burst.everyMs - burst.lengthMs
}
