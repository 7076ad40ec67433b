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
/** What one step writes at most: enough that the clock costs nothing, few enough that the end and a stop are met. */
const STEP_RECORDS_MAX = 20_000
const STEP_BYTES_MAX = 64 * 1024 * 1024
/** Until there are records to tell how long they are: a step of the longest is within the bound. */
const FIRST_STEP_RECORDS = 64
/** A process that was stopped for longer than this does not write all that it missed at once. */
const BACKLOG_MS_MAX = 1000

/** Resolves when the traffic has ended or `stop` is aborted. What it writes in each tick is what is due by then, in steps: it never slows down to match, unless the disk is slower. */
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

  function stepRecordsMax(): number {
    const written = traffic.written()
    if (written === 0) return FIRST_STEP_RECORDS
    return Math.max(1, Math.min(STEP_RECORDS_MAX, Math.floor((STEP_BYTES_MAX * written) / traffic.bytes())))
  }

  /** Whether more is due by `nowMs` than one step writes: it is due from where this one ended. */
  function step(nowMs: number): boolean {
    const burst = inBurst(nowMs - startMs, options.burst)
    const fromMs = Math.max(lastMs, nowMs - BACKLOG_MS_MAX)
    const most = stepRecordsMax()
    owed +=
      options.rate === 0
        ? most
        : ((nowMs - fromMs) / 1000) * options.rate * (burst ? (options.burst?.factor ?? 1) : 1)
    const due = Math.floor(owed)
    const count = Math.min(due, most, left())
    lastMs = due > most ? fromMs + ((nowMs - fromMs) * most) / owed : nowMs
    owed = due > most ? 0 : owed - due
    if (count > 0) traffic.write(count, wallMs + fromMs, wallMs + lastMs, burst)
    return due > most
  }

  return new Promise((resolve, reject) => {
    const next = (): void => {
      try {
        if (stop.aborted) return resolve()
        const nowMs = clock.monotonic()
        const isBehind = step(nowMs)
        if (isOver(clock.monotonic())) resolve()
        else if (isBehind || options.rate === 0) setImmediate(next)
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
