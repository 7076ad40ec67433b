// The audit's two queues as one: tasks go to the queue that all nodes share while that is there, else to the node's own folder.
import type { AuditTask } from '../../protocol/audit.js'
import type { Clock } from '../../runtime/clock.js'
import type { AuditQueue, Leased, QueueFigures } from './queue.js'

export interface PooledLease extends Leased {
  readonly from: AuditQueue
  readonly lease: Leased
}

export interface PooledQueue extends AuditQueue<PooledLease> {
  /** The shared queue is there; undefined: it is gone, and what was leased from it will come again. */
  share(queue: AuditQueue | undefined): void
  /** Into the node's own folder, whatever else is there. */
  keep(tasks: readonly AuditTask[]): Promise<void>
  /** A first check of this node's frame is over, whoever made it; false for a frame that is not waited for. */
  settled(seq: number, id: string): boolean
  /** Tasks that lie outside for too long: they come into the folder, and are checked here. Resolves to how many. */
  recall(): Promise<number>
  sharedFigures(): { readonly connected: boolean; readonly waiting: number }
}

export interface PooledQueueOptions {
  readonly local: AuditQueue
  readonly node: string
  /** False: this node only puts tasks into the shared queue, since it has not all backends. */
  readonly takes: boolean
  readonly clock: Pick<Clock, 'now'>
  /** The shared queue refused, and tasks go to the folder; undefined: it takes them again. */
  refused(error: unknown): void
  /** It did not hear that tasks are through, or gave none: they come again. */
  unheard(error: unknown): void
  /** So many tasks go to the folder because the shared queue is not there, has refused, or has as many of this node as it may. */
  fellBack(tasks: number): void
  /** So many tasks were put there. */
  counted(queue: 'shared' | 'local', tasks: number): void
}

/** First checks of this node's frames that are waited for in the shared queue; more go to the folder. */
const OUTSIDE_MAX = 20_000
/** A shared queue that has just refused is not asked again for so long. */
const REFUSED_MS = 10_000
/** Nobody has said that a task is through so long after it was due: all that had it died, or the word of it was lost. */
export const RECALL_AFTER_MS = 15 * 60_000

export function createPooledQueue(options: PooledQueueOptions): PooledQueue {
  const { local, clock } = options
  /** This node's frames that lie in the shared queue for their first check, by seq. */
  const outside = new Map<number, AuditTask>()
  let shared: AuditQueue | undefined
  let refusedMs = 0

  const isOpen = (): boolean => shared !== undefined && clock.now() - refusedMs >= REFUSED_MS
  const isOwnFirst = ({ node, stage }: AuditTask): boolean => node === options.node && stage === 'first'

  async function keep(tasks: readonly AuditTask[], again = false): Promise<void> {
    await local.put(tasks, again)
    options.counted('local', tasks.length)
  }

  /** Only this node asks whether its frames have left JetStream; nobody else need see them before. */
  const isOnItsWay = ({ waits }: AuditTask): boolean => waits !== undefined

  async function put(tasks: readonly AuditTask[], again = false): Promise<void> {
    const waiting = tasks.filter(isOnItsWay)
    if (waiting.length > 0) await local.put(waiting, again)
    const others = tasks.filter((task) => !isOnItsWay(task))
    if (others.length > 0) await putAnywhere(others, again)
  }

  async function putAnywhere(tasks: readonly AuditTask[], again: boolean): Promise<void> {
    const to = shared
    const fits = tasks.filter(isOwnFirst).length + outside.size <= OUTSIDE_MAX
    if (to === undefined || !isOpen() || !fits) {
      options.fellBack(tasks.length)
      return keep(tasks, again)
    }
    try {
      await to.put(tasks, again)
    } catch (error) {
      refusedMs = clock.now()
      options.refused(error)
      options.fellBack(tasks.length)
      return keep(tasks, again)
    }
    if (refusedMs > 0) options.refused(undefined)
    refusedMs = 0
    options.counted('shared', tasks.length)
    for (const task of tasks) if (isOwnFirst(task)) outside.set(task.seq, task)
  }

  /** What is being mended here, or was not claimed elsewhere, stays where its journal is. */
  const staysHere = ({ from, task }: PooledLease): boolean => from === local && task.repairs > 0

  async function later(
    changes: readonly { readonly leased: PooledLease; readonly task: AuditTask }[],
  ): Promise<void> {
    const here = changes.filter(({ leased, task }) => staysHere({ ...leased, task }))
    if (here.length > 0)
      await keep(
        here.map(({ task }) => task),
        true,
      )
    const others = changes.filter((change) => !here.includes(change))
    const moved = others.map(({ task }) => task)
    if (moved.length > 0) await put(moved, true)
    await release(
      changes.map(({ leased }) => leased),
      (queue, leases) => queue.done(leases),
    )
  }

  /** What cannot be acknowledged to the shared queue comes again, and is checked once more. */
  async function release(
    leased: readonly PooledLease[],
    how: (queue: AuditQueue, leases: readonly Leased[]) => Promise<void>,
  ): Promise<void> {
    for (const queue of new Set(leased.map(({ from }) => from))) {
      const leases = leased.filter(({ from }) => from === queue).map(({ lease }) => lease)
      try {
        await how(queue, leases)
      } catch (error) {
        if (queue === local) throw error
        options.unheard(error)
      }
    }
  }

  async function take(most: number): Promise<PooledLease[]> {
    const leased: PooledLease[] = []
    const from = async (queue: AuditQueue) => {
      for (const lease of await queue.take(most - leased.length))
        leased.push({ task: lease.task, from: queue, lease })
    }
    await from(local)
    const other = options.takes ? shared : undefined
    if (other === undefined || leased.length >= most || other.figures().due === 0) return leased
    await from(other).catch((error: unknown) => options.unheard(error))
    return leased
  }

  function figures(): QueueFigures {
    const own = local.figures()
    const other = options.takes ? shared?.figures() : undefined
    const oldest = [own.oldestDueMs, other?.oldestDueMs].filter((ms) => ms !== undefined)
    return {
      waiting: own.waiting + outside.size,
      due: own.due + (other?.due ?? 0),
      oldestDueMs: oldest.length === 0 ? undefined : Math.min(...oldest),
    }
  }

  return {
    put,
    take,
    later,
    done: (leased) => release(leased, (queue, leases) => queue.done(leases)),
    giveBack(leased) {
      for (const { from, lease } of leased) from.giveBack([lease])
    },
    waitingFirst: (node) => local.waitingFirst(node),
    room: () => local.room(),
    figures,
    share(queue) {
      shared = queue
      refusedMs = 0
    },
    keep: (tasks) => keep(tasks),
    settled(seq, id) {
      if (outside.get(seq)?.id !== id) return false
      return outside.delete(seq)
    },
    async recall() {
      const nowMs = clock.now()
      const late = [...outside.values()].filter(({ dueMs }) => dueMs + RECALL_AFTER_MS < nowMs)
      if (late.length === 0) return 0
      await keep(
        late.map((task) => ({ ...task, dueMs: nowMs })),
        true,
      )
      for (const task of late) outside.delete(task.seq)
      return late.length
    },
    sharedFigures: () => ({ connected: isOpen(), waiting: shared?.figures().waiting ?? 0 }),
    async close() {
      await shared?.close()
      await local.close()
    },
  }
}
