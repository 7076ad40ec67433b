// What the auditor says of itself: its status when it changes, its gauges, a log line where something differs.
import type { ActorContext } from '../../runtime/actor.js'
import { createStatusLine } from '../status-line.js'
import type { Verdict } from './check.js'
import type { QueueFigures } from './queue.js'

interface SharedFigures {
  readonly connected: boolean
  readonly waiting: number
}

export interface Tally {
  /** `shared`: of the queue that the nodes share; undefined where there is none. */
  queue(figures: QueueFigures, shared: SharedFigures | undefined): void
  /** Why the queue takes nothing; undefined: it does. */
  queueTrouble(reason: string | undefined): void
  /** Why tasks go to this node's own folder instead of the shared queue; undefined: they do not. */
  sharedTrouble(reason: string | undefined): void
  checked(verdicts: readonly Verdict[]): void
}

/** A backend that stays away is logged this often. */
const REPEAT_MS = 60_000

export function createTally(context: ActorContext): Tally {
  const { clock, log, metrics } = context
  const counts = { agreed: 0, repaired: 0, unsure: 0, postponed: 0, differs: 0, handed: 0 }
  let records = 0
  let figures: QueueFigures = { waiting: 0, due: 0, oldestDueMs: undefined }
  let shared: SharedFigures | undefined
  let queueReason: string | undefined
  let sharedReason: string | undefined
  let backendReason: string | undefined
  let saidMs = Number.NEGATIVE_INFINITY
  const tellStatus = createStatusLine(context)

  function say(): void {
    const reason = queueReason ?? backendReason ?? sharedReason
    const ofAll =
      shared === undefined
        ? {}
        : { shared: shared.connected, ...(shared.connected ? { sharedWaiting: shared.waiting } : {}) }
    const detail = { ...ofAll, waiting: figures.waiting, due: figures.due, records, ...counts }
    tellStatus(detail, reason === undefined ? undefined : `audit: ${reason}`)
  }

  function warnOften(reason: string): void {
    if (clock.monotonic() - saidMs < REPEAT_MS) return
    saidMs = clock.monotonic()
    log.warn({ reason }, 'audit: frames are postponed')
  }

  return {
    queue(next, ofAll) {
      figures = next
      shared = ofAll
      if (shared !== undefined) metrics.set('audit_shared_waiting_frames', shared.waiting)
      const lateMs = next.oldestDueMs === undefined ? 0 : clock.now() - next.oldestDueMs
      metrics.set('audit_waiting_frames', next.waiting)
      metrics.set('audit_lag_seconds', Math.max(0, lateMs) / 1000)
      say()
    },
    queueTrouble(reason) {
      if (reason !== undefined && queueReason === undefined) log.error(`audit: ${reason}`)
      queueReason = reason
      say()
    },
    sharedTrouble(reason) {
      const why =
        reason === undefined
          ? undefined
          : `the shared queue is not there (${reason}); tasks wait in this node's own folder`
      if (why === sharedReason) return
      if (why === undefined) log.info({ event: 'nats' }, 'audit: tasks are shared over NATS')
      else log.warn({ event: 'nats' }, `audit: ${why}`)
      sharedReason = why
      say()
    },
    checked(verdicts) {
      backendReason = undefined
      for (const { task, outcome, differences, reason } of verdicts) {
        counts[outcome]++
        if (outcome === 'postponed') backendReason = reason
        else records += task.count
        for (const { backend, missing, extra, altered } of differences) {
          const found = { missing: missing.length, extra, altered: altered.length }
          if (outcome !== 'unsure' && outcome !== 'handed')
            log.warn({ frame: task.id, backend, ...found, outcome }, 'audit: a frame differs')
        }
      }
      if (backendReason !== undefined) warnOften(backendReason)
      say()
    },
  }
}
