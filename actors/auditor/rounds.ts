// One round of the audit: takes what is due, checks it, and sees to what follows: through, later, or in the hands of the frame's own node.
import type { Logger } from 'pino'
import type { AuditTask } from '../../protocol/audit.js'
import type { AuditOptions } from '../../protocol/config/audit.js'
import type { Clock } from '../../runtime/clock.js'
import type { Metrics } from '../../runtime/metrics.js'
import type { Checker, Verdict } from './check.js'
import { nextOf, unclaimed } from './next.js'
import type { Told } from './peers.js'
import type { PooledLease, PooledQueue } from './pooled-queue.js'

export interface RoundsOptions {
  readonly queue: PooledQueue
  readonly audit: AuditOptions
  readonly node: string
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  /** Of those that are due, the ones to check; it sees to the others. Left out: all of them. */
  admit?(leased: readonly PooledLease[]): Promise<readonly PooledLease[]>
  /** Loaded with the first due frames. */
  checker(): Promise<Checker>
  /** The first check of these frames of this node is over. */
  confirmed(seqs: readonly number[]): void
  /** True once the other node has it. */
  tell(node: string, told: Told): Promise<boolean>
  checked(verdicts: readonly Verdict[]): void
}

interface Change {
  readonly leased: PooledLease
  readonly task: AuditTask
}

/** Returns what runs a round; it rejects when something else than a backend fails, and the tasks come again. */
export function createRounds(options: RoundsOptions): () => Promise<void> {
  const { queue, audit, clock, metrics, log } = options

  async function round(leased: readonly PooledLease[]): Promise<void> {
    const byId = new Map<string, PooledLease>()
    // Of two tasks of one frame the first check counts: the journal waits for it.
    for (const lease of leased)
      if (byId.get(lease.task.id)?.task.stage !== 'first') byId.set(lease.task.id, lease)
    const verdicts = await (await options.checker()).check([...byId.values()].map(({ task }) => task))
    // A frame that was put twice is through with its twin.
    const done: PooledLease[] = leased.filter((lease) => byId.get(lease.task.id) !== lease)
    const later: Change[] = []
    const handed: Change[] = []
    const confirmed: AuditTask[] = []
    for (const verdict of verdicts) {
      const lease = byId.get(verdict.task.id)
      if (lease === undefined) continue
      if (verdict.outcome === 'handed') {
        handed.push({ leased: lease, task: verdict.task })
        continue
      }
      const next = nextOf(verdict, audit, clock.now())
      if (next.givenUp) giveUp(verdict)
      if (next.task === undefined) done.push(lease)
      else later.push({ leased: lease, task: next.task })
      if (next.confirmed && verdict.task.stage === 'first') confirmed.push(verdict.task)
    }
    const back = await handBack(handed, confirmed)
    await queue.later([...later, ...back.later])
    await queue.done([...done, ...back.done])
    const own = confirmed.filter(({ node }) => node === options.node)
    for (const { seq, id } of own) queue.settled(seq, id)
    if (own.length > 0) options.confirmed(own.map(({ seq }) => seq))
    options.checked(verdicts)
  }

  /** To each other node what is its own: tasks with a difference, and word of those without. */
  async function handBack(
    handed: readonly Change[],
    confirmed: readonly AuditTask[],
  ): Promise<{ readonly done: PooledLease[]; readonly later: Change[] }> {
    const done: PooledLease[] = []
    const later: Change[] = []
    const nodes = new Set([...handed.map(({ task }) => task), ...confirmed].map(({ node }) => node))
    nodes.delete(options.node)
    nodes.delete('')
    for (const node of nodes) {
      const tasks = handed.filter(({ task }) => task.node === node)
      const checked = confirmed.filter((task) => task.node === node)
      const told = await options.tell(node, {
        confirmed: checked.map(({ seq, id }) => [seq, id] as const),
        tasks: tasks.map(({ task }) => task),
      })
      if (tasks.length > 0) metrics.add('audit_handed_total', tasks.length, { answered: String(told) })
      for (const change of tasks) {
        if (told) done.push(change.leased)
        else later.push({ leased: change.leased, task: unclaimed(change.task, clock.now()) })
      }
    }
    return { done, later }
  }

  function giveUp({ task, differences }: Verdict): void {
    for (const { backend, missing } of differences) {
      if (missing.length === 0) continue
      metrics.add('audit_unrepaired_total', missing.length, { backend, reason: 'not_kept' })
      log.error(
        { backend, frame: task.id, records: missing.length },
        'audit: the backend takes these records and does not keep them; given up after several repairs',
      )
    }
  }

  return async () => {
    const leased = await queue.take(audit.frames_per_query)
    if (leased.length === 0) return
    try {
      const admitted = options.admit === undefined ? leased : await options.admit(leased)
      if (admitted.length > 0) await round(admitted)
    } catch (error) {
      queue.giveBack(leased)
      throw error
    }
  }
}
