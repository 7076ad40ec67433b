// What the audit needs of a queue of tasks, whether it lies in a folder or in a stream that many nodes share.
import type { AuditTask } from '../../protocol/audit.js'

/** A task in somebody's hands: it comes again when neither `done` nor `later` is said of it. */
export interface Leased {
  readonly task: AuditTask
}

export interface AuditQueue<L extends Leased = Leased> {
  /**
   * Durable when it resolves. A task that is there already (same frame and stage) may come twice: checking twice does no harm.
   * `again`: they were there before and come again; else the same task put twice may be dropped.
   * Throws `audit.queue_full` at the bound, then nothing of this call counts; what comes again has its place already.
   */
  put(tasks: readonly AuditTask[], again?: boolean): Promise<void>
  /** At most `most` tasks that are due, those that waited longest first; they are leased until the queue is closed or its lease ends. */
  take(most: number): Promise<readonly L[]>
  /** They are through. */
  done(leased: readonly L[]): Promise<void>
  /** Each again at its task's (new) `dueMs`: durable before the old one is gone. */
  later(changes: readonly { readonly leased: L; readonly task: AuditTask }[]): Promise<void>
  /** Nothing came of them: somebody may take them at once. */
  giveBack(leased: readonly L[]): void
  /** Seqs of this node's frames that wait for their first check, as found when the queue was opened; a shared queue does not know. */
  waitingFirst(node: string): readonly number[]
  /** Tasks that still fit. */
  room(): number
  figures(): QueueFigures
  /** What was leased comes again. */
  close(): Promise<void>
}

export interface QueueFigures {
  readonly waiting: number
  /** Due now. */
  readonly due: number
  /** When the oldest task that waits becomes (or became) due, ms since the epoch; undefined when none waits. */
  readonly oldestDueMs: number | undefined
}
