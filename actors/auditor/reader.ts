// What the audit asks a backend: how many records of each frame it holds, which ones, and what they say.
import type { AuditTask } from '../../protocol/audit.js'

export interface Held {
  /** Numbers of the records that are there. */
  readonly numbers: ReadonlySet<number>
  /** Entries or documents beyond the first of a record. */
  readonly copies: number
}

/** A record as a backend holds it. */
export interface HeldRecord {
  /** The canonical record. */
  readonly line: string
  /** Time of the Loki entry, ns; Elasticsearch does not keep it exactly. */
  readonly tsNs?: bigint
}

/** All of these reject with `audit.backend` when there is no answer that can be believed: that is not a difference. */
export interface BackendReader {
  readonly name: string
  readonly type: 'elasticsearch' | 'loki'
  /** Records by frame id, for hundreds of frames in few queries. A frame that is not there is left out. */
  counts(tasks: readonly AuditTask[]): Promise<ReadonlyMap<string, number>>
  /** Makes what was stored visible to counts, where the server can do that. */
  refresh(tasks: readonly AuditTask[]): Promise<void>
  /** Record by record, exact; by frame id. */
  held(tasks: readonly AuditTask[]): Promise<ReadonlyMap<string, Held>>
  /** The records with these numbers, as far as they are there. */
  records(task: AuditTask, numbers: readonly number[]): Promise<ReadonlyMap<number, HeldRecord>>
  /** Queries so far. */
  queries(): number
  close(): Promise<void>
}

/** The spans of time in which a frame's records lie. */
export function spansOf(task: AuditTask): readonly { readonly fromMs: number; readonly toMs: number }[] {
  return task.spans ?? [{ fromMs: task.fromMs, toMs: task.toMs }]
}

/** Frames and numbers of record ids; ids that are none of these frames' are left out. */
export function numbersOf(tasks: readonly AuditTask[], rids: Iterable<string>): Map<string, Set<number>> {
  const numbers = new Map(tasks.map(({ id }) => [id, new Set<number>()]))
  for (const rid of rids) {
    const dash = rid.lastIndexOf('-')
    numbers.get(rid.slice(0, dash))?.add(Number(rid.slice(dash + 1)))
  }
  return numbers
}
