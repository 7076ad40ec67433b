// The actor `auditor`: takes acknowledged frames from the journal into its queue, and checks those that are due, hundreds at once.
import path from 'node:path'
import { AUDIT_CURSOR, type AuditFrame, type AuditTask } from '../../protocol/audit.js'
import type { AuditOptions } from '../../protocol/config/audit.js'
import type { BackendOptions } from '../../protocol/config/backends.js'
import type { NatsOptions } from '../../protocol/config/nats.js'
import { saidOf } from '../../protocol/errors.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { countLetters } from '../letters/letter-count.js'
import { type AuditLog, openAuditLog } from './audit-log.js'
import type { Engine } from './engine.js'
import type { LetterStream } from '../letters/letter-stream.js'
import { openLocalQueue } from './local-queue.js'
import { UNCLAIMED_MAX } from './next.js'
import type { Told } from './peers.js'
import { createPassage } from './passage.js'
import { createPooledQueue, type PooledQueue } from './pooled-queue.js'
import type { AuditQueue } from './queue.js'
import { createRounds } from './rounds.js'
import type { BufferedAudit, Shared } from './shared.js'
import { createTally } from './tally.js'

export interface AuditorPlan {
  readonly audit: AuditOptions
  readonly backends: Readonly<Record<string, BackendOptions>>
  /** The tasks are shared with other nodes. */
  readonly nats?: NatsOptions
  /** Frames go through JetStream to writers that may be other nodes. */
  readonly buffered?: BufferedAudit
}

const TICK_MS = 1000
/** How late a check may be by sharing a file with others in the queue. */
const BUCKET_MS_MAX = 10_000
/** Frames that the journal may hand over before the first of them are durable in the queue. */
const ROOM_MAX = 4096
/** A journal that does not answer is restarting. */
const COPY_WAIT_MS = 10_000

interface Copy {
  readonly read: Promise<Uint8Array | undefined>
  end(encoded: Uint8Array | undefined): void
}

/** Folder of the audit's queue and log. */
export const auditFolder = (dataDir: string): string => path.join(dataDir, 'audit')

/** Writes to `journal`: audit_open, audit_queued, audited, frame_wanted; to `supervisor`: status. */
export function auditor(context: ActorContext, { audit, backends, nats, buffered }: AuditorPlan): Actor {
  const { clock, log, metrics, node } = context
  const folder = auditFolder(node.dataDir)
  const copies = new Map<number, Copy>()
  const tally = createTally(context)
  const timers: (() => void)[] = []
  let queue: PooledQueue | undefined
  let joined: Shared | undefined
  let round: () => Promise<void> = () => Promise.resolve()
  let auditLog: AuditLog | undefined
  let engine: Engine | undefined
  let unqueued: AuditTask[] = []
  let putting: Promise<void> | undefined
  let checking: Promise<void> | undefined
  let recalling: Promise<void> | undefined
  let stopped = false

  function taskOf(frame: AuditFrame): AuditTask {
    const ackedMs = clock.now()
    const fresh = { stage: 'first', postponed: 0, repairs: 0 } as const
    const onItsWay = buffered === undefined ? {} : { waits: 0 }
    return { ...frame, ...fresh, ...onItsWay, node: node.id, ackedMs, dueMs: ackedMs + audit.after }
  }

  const room = (): number => Math.max(0, Math.min(ROOM_MAX, queue?.room() ?? 0) - unqueued.length)

  /** Tasks that the queue does not take now wait here; the journal is given no room for more. */
  async function put(): Promise<void> {
    const tasks = unqueued
    if (tasks.length === 0 || queue === undefined) return
    try {
      await queue.put(tasks)
      unqueued = unqueued.slice(tasks.length)
      tally.queueTrouble(undefined)
      context.send('journal', { type: 'audit_queued', seqs: tasks.map(({ seq }) => seq), room: room() })
    } catch (error) {
      tally.queueTrouble(saidOf(error))
    }
  }

  function startPut(): void {
    putting ??= put().finally(() => (putting = undefined))
  }

  /** From this node's journal; of tasks of others there is nothing in it. */
  function encoded(task: AuditTask): Promise<Uint8Array | undefined> {
    if (task.node === node.id) return copyOf(task.seq)
    const asks = buffered !== undefined && task.node !== '' && !stopped
    return asks && joined !== undefined ? joined.copy(task) : Promise.resolve(undefined)
  }

  async function copyOf(seq: number): Promise<Uint8Array | undefined> {
    // Two that want the same frame: one after the other.
    while (copies.has(seq)) await copies.get(seq)?.read
    if (stopped) return undefined
    let end: (bytes: Uint8Array | undefined) => void = () => undefined
    const read = new Promise<Uint8Array | undefined>((resolve) => (end = resolve))
    const cancel = clock.after(COPY_WAIT_MS, () => end(undefined))
    copies.set(seq, { read, end })
    context.send('journal', { type: 'frame_wanted', seq, replyTo: context.name })
    return read.finally(() => {
      cancel()
      copies.delete(seq)
    })
  }

  /** Loaded with the first due frames: a node that has just started pays nothing for it. */
  async function engineOf(): Promise<Engine> {
    if (engine !== undefined) return engine
    const { createEngine, lettersAway } = await import('./engine.js')
    auditLog ??= openAuditLog(folder, clock.now, (error) =>
      log.error({ err: error }, 'audit: its log cannot be written'),
    )
    const random = () => context.random()
    const parts = { clock, random, log, metrics, auditLog, node, audit, backends }
    const sharedLetters = (): Promise<LetterStream | undefined> => {
      const there = joined?.letters()
      if (there !== undefined || nats === undefined) return Promise.resolve(there)
      return Promise.reject(lettersAway('no connection'))
    }
    engine = createEngine({ ...parts, encoded, repairs: audit.repair, mends, sharedLetters })
    return engine
  }

  /** Another node's frame is that node's to mend, unless it has been silent for long, or is an agent that has no backends. */
  const mends = (task: AuditTask): boolean =>
    buffered !== undefined ||
    task.node === node.id ||
    task.node === '' ||
    (task.unclaimed ?? 0) >= UNCLAIMED_MAX

  const audited = (seqs: readonly number[]): void => {
    if (seqs.length > 0) context.send('journal', { type: 'audited', seqs })
  }

  /** From another node's auditor. */
  async function heard({ confirmed, tasks }: Told): Promise<void> {
    if (queue === undefined || stopped) throw new Error('stopping')
    if (tasks.length > 0) {
      await queue.keep(tasks.map((task) => ({ ...task, dueMs: clock.now() })))
      for (const { seq, id } of tasks) queue.settled(seq, id)
    }
    audited(confirmed.flatMap(([seq, id]) => (queue?.settled(seq, id) === true ? [seq] : [])))
  }

  /** Nobody got through with it: somebody has to look. */
  async function giveUp(task: AuditTask): Promise<void> {
    const { createDeadLetters, lettersFolder } = await import('../../runtime/dead-letters.js')
    const letters = createDeadLetters({ folder: path.join(lettersFolder(node.dataDir), AUDIT_CURSOR) })
    const reason = 'audit_given_up'
    try {
      const detail = `every node that took this task of the audit ended or fell silent; millrace audit frame ${task.id}`
      const time = new Date(clock.now()).toISOString()
      const about = { backend: AUDIT_CURSOR, reason, detail, time, tries: 0 }
      await letters.put([{ ...about, frame: task.id, n: 0, record: JSON.stringify(task) }])
      metrics.add('dead_letters_total', 1, { backend: AUDIT_CURSOR, reason })
      log.error({ frame: task.id }, `audit: ${detail}`)
    } finally {
      await letters.close()
    }
  }

  function tick(): void {
    if (queue === undefined) return
    startPut()
    recall(queue)
    const figures = queue.figures()
    tally.queue(figures, nats === undefined ? undefined : queue.sharedFigures())
    const { due, oldestDueMs } = figures
    const waitedMs = oldestDueMs === undefined ? 0 : clock.now() - oldestDueMs
    const enough = due >= audit.frames_per_query || (due > 0 && waitedMs >= audit.gather)
    if (!enough || checking !== undefined || stopped) return
    checking = round()
      .catch((error: unknown) => log.error({ err: error }, 'audit: a round failed; its frames come again'))
      .finally(() => (checking = undefined))
  }

  function recall(from: PooledQueue): void {
    recalling ??= from
      .recall()
      .then((tasks) => {
        if (tasks > 0) log.warn({ tasks }, 'audit: nobody told of these tasks; this node checks them itself')
      })
      .catch((error: unknown) => tally.queueTrouble(saidOf(error)))
      .finally(() => (recalling = undefined))
  }

  async function join(pool: PooledQueue): Promise<void> {
    if (nats === undefined) return
    const { joinShared } = await import('./shared.js')
    const trouble = (reason: string | undefined) => tally.sharedTrouble(reason)
    const share = (from: AuditQueue | undefined) => pool.share(from)
    const parts = { nats, audit, backends, ...(buffered === undefined ? {} : { buffered }) }
    joined = joinShared(context, { ...parts, share, heard, frame: copyOf, givenUp: giveUp, trouble })
  }

  return {
    async start() {
      const local = await openLocalQueue({
        folder: path.join(folder, 'queue'),
        bytesMax: audit.queue_bytes,
        bucketMs: Math.min(BUCKET_MS_MAX, Math.max(100, Math.ceil(audit.after / 6))),
        clock,
      })
      queue = createPooledQueue({
        local,
        node: node.id,
        takes: buffered?.checks ?? true,
        clock,
        refused: (error) => tally.sharedTrouble(error === undefined ? undefined : saidOf(error)),
        unheard: (error) => log.warn({ event: 'nats', reason: saidOf(error) }, 'audit: tasks come again'),
        fellBack: (tasks) => nats !== undefined && metrics.add('audit_fallback_tasks_total', tasks),
        counted: (where, tasks) => metrics.add('audit_tasks_total', tasks, { queue: where }),
      })
      const passage = createPassage({
        queue,
        checks: buffered?.checks ?? true,
        state: async () => joined?.logs(),
        now: clock.now,
      })
      round = createRounds({
        ...(buffered === undefined ? {} : { admit: passage }),
        ...{ queue, audit, node: node.id, clock, log, metrics, checker: engineOf, confirmed: audited },
        tell: async (to, told) => (await joined?.tell(to, told)) ?? false,
        checked: (verdicts) => tally.checked(verdicts),
      })
      timers.push(clock.every(Math.min(TICK_MS, Math.max(50, audit.after)), tick))
      // With NATS the actor `letters` does.
      if (nats === undefined) timers.push(countLetters(context))
      await join(queue)
      const waiting = queue.waitingFirst(node.id)
      context.send('journal', { type: 'audit_open', room: room(), waiting })
    },
    on: {
      audit_frames({ frames }) {
        unqueued.push(...frames.map(taskOf))
        startPut()
      },
      frame_copy: ({ seq, encoded: bytes }) => copies.get(seq)?.end(bytes),
    },
    async stop() {
      stopped = true
      for (const cancel of timers) cancel()
      for (const { end } of copies.values()) end(undefined)
      await engine?.close()
      await checking
      await putting
      await recalling
      await queue?.close()
      await joined?.leave()
      await auditLog?.close()
    },
  }
}
