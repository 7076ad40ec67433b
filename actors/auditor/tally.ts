// What the auditor says of itself: its status when it changes, its gauges, a log line where something differs.
import type { ActorContext } from '../../runtime/actor.js'
import type { Verdict } from './check.js'
import type { QueueFigures } from './queue.js'

export interface Tally {
  queue(figures: QueueFigures): void
  /** Why the queue takes nothing; undefined: it does. */
  queueTrouble(reason: string | undefined): void
  checked(verdicts: readonly Verdict[]): void
}

/** A backend that stays away is logged this often. */
const REPEAT_MS = 60_000

export function createTally(context: ActorContext): Tally {
  const { clock, log, metrics } = context
  const counts = { agreed: 0, repaired: 0, unsure: 0, postponed: 0, differs: 0 }
  let records = 0
  let figures: QueueFigures = { waiting: 0, due: 0, oldestDueMs: undefined }
  let queueReason: string | undefined
  let backendReason: string | undefined
  let saidMs = Number.NEGATIVE_INFINITY
  let lastSent = ''

  function say(): void {
    const reason = queueReason ?? backendReason
    const detail = { waiting: figures.waiting, due: figures.due, records, ...counts }
    const text = JSON.stringify({ reason, detail })
    if (text === lastSent) return
    lastSent = text
    const said = { type: 'status', actor: context.name, ready: true, detail } as const
    context.send(
      'supervisor',
      reason === undefined ? said : { ...said, reason: `degraded: audit: ${reason}` },
    )
  }

  function warnOften(reason: string): void {
    if (clock.monotonic() - saidMs < REPEAT_MS) return
    saidMs = clock.monotonic()
    log.warn({ reason }, 'audit: frames are postponed')
  }

  return {
    queue(next) {
      figures = next
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
    checked(verdicts) {
      backendReason = undefined
      for (const { task, outcome, differences, reason } of verdicts) {
        counts[outcome]++
        if (outcome === 'postponed') backendReason = reason
        else records += task.count
        for (const { backend, missing, extra, altered } of differences) {
          const found = { missing: missing.length, extra, altered: altered.length }
          if (outcome !== 'unsure')
            log.warn({ frame: task.id, backend, ...found, outcome }, 'audit: a frame differs')
        }
      }
      if (backendReason !== undefined) warnOften(backendReason)
      say()
    },
  }
}
