// What the journal says of itself: its status each second and at once when it stops or goes on, its gauges, its log lines.
import type { JournalOptions } from '../../protocol/config/node.js'
import type { ActorContext } from '../../runtime/actor.js'
import type { CorruptPlace, WalObserver } from '../../runtime/wal/observer.js'
import type { Wal } from '../../runtime/wal/wal.js'
import type { Feed } from './feed.js'

/** gone: the segment was not there at the start. */
export type GivenUpReason = 'corrupt' | 'disk_bound' | 'gone'

export interface Report {
  readonly observer: WalObserver
  /** The bound is reached and nothing may be dropped. */
  blocked(on: boolean): void
  /** Sends the status and sets the gauges now, and each second from here on. */
  start(wal: Wal, feeds: ReadonlyMap<string, Feed>): void
  givenUp(backend: string, reason: GivenUpReason, frames: number, records: number | undefined): void
  stop(): void
}

export interface ReportOptions {
  readonly bytesMax: number
  readonly atBound: JournalOptions['at_bound']
  /** The disk refuses (true) or takes bytes again (false). */
  trouble(on: boolean): void
}

const STATUS_EVERY_MS = 1000
/** A fault that repeats is logged this often. */
const REPEAT_MS = 60_000

const WAY_OUT: Readonly<Record<string, string>> = {
  ENOSPC: 'free disk space or lower journal.bytes_max',
  EDQUOT: 'raise the disk quota or lower journal.bytes_max',
  EROFS: 'the file system has become read-only: check the disk',
  EIO: 'the disk reports a fault: check it (dmesg)',
}

export function createReport(context: ActorContext, options: ReportOptions): Report {
  const { clock, log, metrics } = context
  let wal: Wal | undefined
  let feeds: ReadonlyMap<string, Feed> = new Map()
  let fault: string | undefined
  let isBlocked = false
  let cancel: (() => void) | undefined
  const loggedMs = new Map<string, number>()

  function mayLog(key: string): boolean {
    const nowMs = clock.monotonic()
    if (nowMs - (loggedMs.get(key) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS) return false
    loggedMs.set(key, nowMs)
    return true
  }

  function lags(): string {
    return [...feeds].map(([backend, feed]) => `${backend} is ${feed.lagFrames()} frames behind`).join(', ')
  }

  function reason(): string | undefined {
    if (fault !== undefined) return fault
    if (!isBlocked || wal === undefined) return undefined
    const bound = `journal: journal.bytes_max reached (${wal.bytes()} of ${options.bytesMax} bytes; ${lags()})`
    return options.atBound === 'release'
      ? `${bound}; sources wait: only what another backend has, and the audit has in its queue, may leave before all have it; or raise journal.bytes_max`
      : `${bound}; sources wait until a backend catches up; or raise journal.bytes_max, or set journal.at_bound: release or drop_oldest`
  }

  function tell(): void {
    if (wal === undefined) return
    const detail: Record<string, number> = {
      bytes: wal.bytes(),
      segments: wal.segments(),
      tailSeq: wal.tailSeq(),
    }
    metrics.set('journal_bytes', wal.bytes())
    metrics.set('journal_bytes_max', options.bytesMax)
    metrics.set('journal_blocked', isBlocked ? 1 : 0)
    metrics.set('journal_segments', wal.segments())
    for (const [backend, feed] of feeds) {
      const frames = feed.lagFrames()
      const madeMs = frames > 0 ? wal.madeMs(feed.oldestUndone()) : undefined
      detail[`lag.${backend}`] = frames
      metrics.set('write_lag_frames', frames, { backend })
      metrics.set('write_lag_seconds', madeMs === undefined ? 0 : Math.max(0, clock.now() - madeMs) / 1000, {
        backend,
      })
    }
    const why = reason()
    const said = { type: 'status', actor: context.name, ready: why === undefined, detail } as const
    context.send('supervisor', why === undefined ? said : { ...said, reason: why })
  }

  function corrupt(place: CorruptPlace): void {
    metrics.add('journal_corrupt_total', 1, { kind: place.kind })
    if (place.kind === 'torn_tail')
      log.warn(place, 'journal: cut a torn tail: it was never acknowledged, its lines are read again')
    else log.error(place, 'journal: corrupt place found, the rest goes on; see millrace wal fsck')
  }

  return {
    observer: {
      corrupt,
      committed(bytes, ms) {
        metrics.add('journal_appended_bytes_total', bytes)
        metrics.observe('journal_fsync_seconds', ms / 1000)
      },
      fault({ code, message, retryInMs }) {
        metrics.add('journal_errors_total', 1, { code })
        if (mayLog(`fault ${code}`)) log.error({ code, retryInMs }, `journal: ${message}`)
        if (retryInMs === undefined) return
        const wayOut = WAY_OUT[code] ?? 'check the disk'
        fault = `journal: cannot write (${message}); sources wait, trying again; ${wayOut}`
        options.trouble(true)
        tell()
      },
      healed() {
        fault = undefined
        loggedMs.clear()
        log.info('journal: writing works again')
        options.trouble(false)
        tell()
      },
    },
    blocked(on) {
      if (isBlocked === on) return
      isBlocked = on
      const why = reason()
      if (why !== undefined && mayLog('blocked')) log.error(why)
      if (!on) log.info('journal: below journal.bytes_max again')
      tell()
    },
    start(opened, ofBackends) {
      wal = opened
      feeds = ofBackends
      tell()
      cancel = clock.every(STATUS_EVERY_MS, tell)
    },
    givenUp(backend, given, frames, records) {
      // A crash at the bound looks like a file that is gone: what was deleted there is not in the saved cursor yet.
      const why = given === 'gone' && options.atBound !== 'block' ? 'disk_bound' : given
      if (why === 'disk_bound' && options.atBound === 'release') {
        metrics.add('journal_released_records_total', records ?? 0, { backend })
        const what = 'journal: frames left at journal.bytes_max; the audit copies them from another backend'
        if (mayLog(`released ${backend}`)) log.warn({ backend, frames, records }, what)
        return
      }
      metrics.add('journal_dropped_frames_total', frames, { backend, reason: why })
      if (records !== undefined) metrics.add('journal_dropped_records_total', records, { backend })
      log.error(
        { backend, reason: why, frames, records: records ?? 'unknown' },
        'journal: frames given up for a backend',
      )
    },
    stop: () => cancel?.(),
  }
}
