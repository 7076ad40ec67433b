// What follows from a verdict: the task is through, or comes again, and when.
import type { AuditTask } from '../../protocol/audit.js'
import type { AuditOptions } from '../../protocol/config/audit.js'
import { LOKI_FLUSHED_MS, LOKI_VISIBLE_MS, type Verdict } from './check.js'

export interface Next {
  /** Undefined: the task is through. */
  readonly task: AuditTask | undefined
  /** The journal may let go of the frame. */
  readonly confirmed: boolean
  /** Repaired again and again, and never whole. */
  readonly givenUp?: true
}

/** The refresh of the index template, and some. */
const RECHECK_MS = 40_000
const POSTPONE_MS = 30_000
const POSTPONE_MS_MAX = 600_000
const REPAIRS_MAX = 5

/** So many hand-overs without an answer, and others mend a frame as well as they can without its journal: after about a quarter of an hour. */
export const UNCLAIMED_MAX = 5

export function unclaimed(task: AuditTask, nowMs: number): AuditTask {
  const times = (task.unclaimed ?? 0) + 1
  return { ...task, unclaimed: times, dueMs: nowMs + waitMs(times - 1) }
}

const waitMs = (times: number): number => Math.min(POSTPONE_MS_MAX, POSTPONE_MS * 2 ** Math.min(times, 10))

export function nextOf({ task, outcome }: Verdict, { again }: AuditOptions, nowMs: number): Next {
  switch (outcome) {
    case 'agreed':
      if (task.stage === 'again' || again === 0) return { task: undefined, confirmed: true }
      return {
        task: { ...task, stage: 'again', dueMs: Math.max(nowMs, task.ackedMs + again), postponed: 0 },
        confirmed: true,
      }
    case 'differs':
      return { task: undefined, confirmed: true }
    case 'repaired':
      if (task.repairs >= REPAIRS_MAX) return { task: undefined, confirmed: true, givenUp: true }
      return { task: rechecked(task, nowMs), confirmed: false }
    case 'unsure':
      return { task: { ...task, dueMs: task.ackedMs + LOKI_FLUSHED_MS }, confirmed: false }
    case 'postponed': {
      const dueMs = nowMs + waitMs(task.postponed)
      return { task: { ...task, postponed: task.postponed + 1, dueMs }, confirmed: false }
    }
    case 'handed':
      return { task: unclaimed(task, nowMs), confirmed: false }
  }
}

/** What was sent now is looked for from now on. */
function rechecked(task: AuditTask, nowMs: number): AuditTask {
  const hidden = task.fromMs < nowMs - LOKI_VISIBLE_MS
  const dueMs = nowMs + (hidden ? LOKI_FLUSHED_MS : RECHECK_MS)
  return { ...task, repairs: task.repairs + 1, ackedMs: nowMs, dueMs, postponed: 0 }
}
