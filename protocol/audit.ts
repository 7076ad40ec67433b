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
  /** Where its records lie in time, for frames whose records are far apart; else from fromMs to toMs. */
  readonly spans?: readonly AuditSpan[]
  /** Numbers of records that lie in the dead letters, by backend. */
  readonly dead?: Readonly<Record<string, readonly number[]>>
}

/** The journal's cursor of the audit; no backend can have this name. */
export const AUDIT_CURSOR = '@audit'
