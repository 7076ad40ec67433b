// What the audit speaks of: a frame that every audited backend has acknowledged, and the task of checking it.

/** A frame as the journal hands it to the auditor. */
export interface AuditFrame {
  readonly seq: number
  readonly id: string
  readonly count: number
  /** Oldest and newest timestamp of its records, ms since the epoch. */
  readonly fromMs: number
  readonly toMs: number
}

/** Milliseconds since the epoch, both ends included. */
export interface AuditSpan {
  readonly fromMs: number
  readonly toMs: number
}

export interface AuditTask extends AuditFrame {
  /** The node whose journal had the frame; only there `seq` means anything. */
  readonly node: string
  /** Not before this time, ms since the epoch. */
  readonly dueMs: number
  /** When all backends had acknowledged it, ms since the epoch. */
  readonly ackedMs: number
  /** `again`: the second check, after Loki has flushed. */
  readonly stage: 'first' | 'again'
  /** Checks that came to no result because a backend was down. */
  readonly postponed: number
  /** Repairs so far: a frame that stays broken is given up and reported. */
  readonly repairs: number
  /** Times that its node, which alone can mend it best, did not answer: after some, others do what they can. */
  readonly unclaimed?: number
  /**
   * It went through JetStream, where it lies at this sequence or before: no backend is asked before all that was there is acknowledged.
   * 0: not looked at yet. Left out: every backend's writer has acknowledged it.
   */
  readonly waits?: number
  /** Where its records lie in time, for frames whose records are far apart; else from fromMs to toMs. */
  readonly spans?: readonly AuditSpan[]
  /** Numbers of records that lie in the dead letters, by backend. */
  readonly dead?: Readonly<Record<string, readonly number[]>>
}

/** The journal's cursor of the audit; no backend can have this name. */
export const AUDIT_CURSOR = '@audit'

const RECORDS_MAX = 1_000_000
const SPANS_MAX = 64
/** So that a date of it is one. */
const TIME_MS_MAX = 8.64e15

/** Anybody who may publish can send what looks like a task: undefined for what cannot be one. Members beyond a task's are left out. */
export function soundTask(value: unknown): AuditTask | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { id, node, stage, spans, ...rest } = value as Record<keyof AuditTask, unknown>
  const { seq, count, fromMs, toMs, dueMs, ackedMs, postponed, repairs, unclaimed = 0, waits } = rest
  if (typeof id !== 'string' || !/^[\w-]{1,64}$/.test(id) || typeof node !== 'string') return undefined
  if (stage !== 'first' && stage !== 'again') return undefined
  if (!isTime(fromMs) || !isTime(toMs) || !isTime(dueMs) || !isTime(ackedMs)) return undefined
  if (fromMs > toMs || !isCount(seq, -1) || !isCount(count, 1) || count > RECORDS_MAX) return undefined
  if (!isCount(postponed) || !isCount(repairs) || !isCount(unclaimed)) return undefined
  if (waits !== undefined && !isCount(waits)) return undefined
  const times = { fromMs, toMs, dueMs, ackedMs }
  const late = { ...(unclaimed === 0 ? {} : { unclaimed }), ...(waits === undefined ? {} : { waits }) }
  const task: AuditTask = { seq, id, count, node, stage, ...times, postponed, repairs, ...late }
  if (spans === undefined) return task
  return Array.isArray(spans) && spans.length <= SPANS_MAX && spans.every(isSpan)
    ? { ...task, spans: spans.map((span) => ({ fromMs: span.fromMs, toMs: span.toMs })) }
    : undefined
}

const isTime = (ms: unknown): ms is number => typeof ms === 'number' && Math.abs(ms) <= TIME_MS_MAX
const isCount = (n: unknown, least = 0): n is number =>
  typeof n === 'number' && Number.isSafeInteger(n) && n >= least

function isSpan(value: unknown): value is AuditSpan {
  if (typeof value !== 'object' || value === null) return false
  const { fromMs, toMs } = value as Record<keyof AuditSpan, unknown>
  return isTime(fromMs) && isTime(toMs) && fromMs <= toMs
}
