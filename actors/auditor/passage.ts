// Frames that go through JetStream: a task waits at its own node until every backend's writer has acknowledged the frame.
import type { AuditTask } from '../../protocol/audit.js'
import type { PooledLease, PooledQueue } from './pooled-queue.js'

/*
 * The log stream has interest retention: a message is there until each consumer has acknowledged it. So a frame is with all backends when
 * the stream begins behind it. Where exactly it lies in the stream need not be known: it was there before its task was made, so whatever
 * is the last message at the first look is at or behind it. No clocks are compared, and one question answers for all tasks.
 */
export interface LogStreamState {
  readonly first_seq: number
  readonly last_seq: number
  readonly messages: number
}

export interface PassageOptions {
  readonly queue: Pick<PooledQueue, 'later'>
  /** False: tasks whose frames have arrived are for other nodes to check. */
  readonly checks: boolean
  /** Undefined: not known now. */
  state(): Promise<LogStreamState | undefined>
  now(): number
}

/** How often it is looked whether a frame has left. */
const LOOK_AGAIN_MS = 15_000
/** The shared queue is not there, and this node cannot check. */
const NO_QUEUE_MS = 30_000

/** Returns those to check now; the others come again later, or are in the shared queue. */
export function createPassage(
  options: PassageOptions,
): (leased: readonly PooledLease[]) => Promise<readonly PooledLease[]> {
  const { queue, checks } = options
  return async (leased) => {
    const ready = checks ? leased.filter(({ task }) => task.waits === undefined) : []
    const rest = leased.filter((lease) => !ready.includes(lease))
    if (rest.length === 0) return ready
    const asks = rest.some(({ task }) => task.waits !== undefined)
    const state = asks ? await options.state() : undefined
    const nowMs = options.now()
    await queue.later(rest.map((lease) => ({ leased: lease, task: after(lease.task, state, nowMs) })))
    return ready
  }
}

function after(task: AuditTask, state: LogStreamState | undefined, nowMs: number): AuditTask {
  const { waits, ...arrived } = task
  if (waits === undefined) return { ...task, dueMs: nowMs + NO_QUEUE_MS }
  if (state === undefined) return { ...task, dueMs: nowMs + LOOK_AGAIN_MS }
  const behind = waits === 0 ? state.last_seq : waits
  if (hasPassed(behind, state)) return { ...arrived, ackedMs: nowMs, dueMs: nowMs }
  return { ...task, waits: behind, dueMs: nowMs + LOOK_AGAIN_MS }
}

/** Whether all that was in the stream at or before this sequence has left it. A stream that was made anew holds nothing of before. */
export function hasPassed(seq: number, { first_seq, last_seq, messages }: LogStreamState): boolean {
  return messages === 0 || first_seq > seq || last_seq < seq
}
