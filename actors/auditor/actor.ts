// The actor `auditor`: takes acknowledged frames from the journal into its queue, and checks those that are due, hundreds at once.
import path from 'node:path'
import type { AuditFrame, AuditTask } from '../../protocol/audit.js'
import type { AuditOptions } from '../../protocol/config/audit.js'
import type { BackendOptions } from '../../protocol/config/backends.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { letterFigures, type LineCache } from '../../runtime/letter-store.js'
import { type AuditLog, openAuditLog } from './audit-log.js'
import type { Verdict } from './check.js'
import type { Engine } from './engine.js'
import { openLocalQueue } from './local-queue.js'
import { nextOf } from './next.js'
import type { AuditQueue, Leased } from './queue.js'
import { createTally } from './tally.js'

export interface AuditorPlan {
  readonly audit: AuditOptions
  readonly backends: Readonly<Record<string, BackendOptions>>
}

const TICK_MS = 1000
/** How late a check may be by sharing a file with others in the queue. */
const BUCKET_MS_MAX = 10_000
const LETTERS_EVERY_MS = 30_000
/** Frames that the journal may hand over before the first of them are durable in the queue. */
const ROOM_MAX = 4096
/** A journal that does not answer is restarting. */
const COPY_WAIT_MS = 10_000

/** Folder of the audit's queue and log. */
export const auditFolder = (dataDir: string): string => path.join(dataDir, 'audit')

/** Writes to `journal`: audit_open, audit_queued, audited, frame_wanted; to `supervisor`: status. */
export function auditor(context: ActorContext, { audit, backends }: AuditorPlan): Actor {
  const { clock, log, metrics, node } = context
  const folder = auditFolder(node.dataDir)
  const copies = new Map<number, (encoded: Uint8Array | undefined) => void>()
  const tally = createTally(context)
  const counted: LineCache = new Map()
  const timers: (() => void)[] = []
  let queue: AuditQueue | undefined
  let auditLog: AuditLog | undefined
  let engine: Engine | undefined
  let unqueued: AuditTask[] = []
  let putting: Promise<void> | undefined
  let checking: Promise<void> | undefined
  let stopped = false

  function taskOf(frame: AuditFrame): AuditTask {
    const ackedMs = clock.now()
    const fresh = { stage: 'first', postponed: 0, repairs: 0 } as const
    return { ...frame, ...fresh, node: node.id, ackedMs, dueMs: ackedMs + audit.after }
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
      tally.queueTrouble(error instanceof Error ? error.message : String(error))
    }
  }

  function startPut(): void {
    putting ??= put().finally(() => (putting = undefined))
  }

  /** From this node's journal; tasks of others have nothing there. */
  function encoded(task: AuditTask): Promise<Uint8Array | undefined> {
    if (task.node !== node.id || stopped) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const end = (bytes: Uint8Array | undefined): void => {
        cancel()
        copies.delete(task.seq)
        resolve(bytes)
      }
      const cancel = clock.after(COPY_WAIT_MS, () => end(undefined))
      copies.set(task.seq, end)
      context.send('journal', { type: 'frame_wanted', seq: task.seq, replyTo: context.name })
    })
  }

  /** Loaded with the first due frames: a node that has just started pays nothing for it. */
  async function engineOf(): Promise<Engine> {
    if (engine !== undefined) return engine
    const { createEngine } = await import('./engine.js')
    auditLog ??= openAuditLog(folder, clock.now, (error) =>
      log.error({ err: error }, 'audit: its log cannot be written'),
    )
    const random = () => context.random()
    const shared = { clock, random, log, metrics, auditLog, node, audit, backends }
    engine = createEngine({ ...shared, encoded, repairs: audit.repair })
    return engine
  }

  async function round(from: AuditQueue): Promise<void> {
    const leased = await from.take(audit.frames_per_query)
    if (leased.length === 0) return
    const byId = new Map<string, Leased>()
    // Of two tasks of one frame the first check counts: the journal waits for it.
    for (const lease of leased)
      if (byId.get(lease.task.id)?.task.stage !== 'first') byId.set(lease.task.id, lease)
    const verdicts = await (await engineOf()).check([...byId.values()].map(({ task }) => task))
    // A frame that was put twice is through with its twin.
    const done: Leased[] = leased.filter((lease) => byId.get(lease.task.id) !== lease)
    const later: { leased: Leased; task: AuditTask }[] = []
    const confirmed: number[] = []
    for (const verdict of verdicts) {
      const lease = byId.get(verdict.task.id)
      if (lease === undefined) continue
      const next = nextOf(verdict, audit, clock.now())
      if (next.givenUp) giveUp(verdict)
      if (next.task === undefined) done.push(lease)
      else later.push({ leased: lease, task: next.task })
      if (next.confirmed && verdict.task.node === node.id && verdict.task.stage === 'first')
        confirmed.push(verdict.task.seq)
    }
    await from.later(later)
    await from.done(done)
    if (confirmed.length > 0) context.send('journal', { type: 'audited', seqs: confirmed })
    tally.checked(verdicts)
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

  function tick(): void {
    if (queue === undefined) return
    startPut()
    const figures = queue.figures()
    tally.queue(figures)
    const { due, oldestDueMs } = figures
    const waitedMs = oldestDueMs === undefined ? 0 : clock.now() - oldestDueMs
    const enough = due >= audit.frames_per_query || (due > 0 && waitedMs >= audit.gather)
    if (!enough || checking !== undefined || stopped) return
    checking = round(queue)
      .catch((error: unknown) => log.error({ err: error }, 'audit: a round failed; its frames come again'))
      .finally(() => (checking = undefined))
  }

  async function countLetters(): Promise<void> {
    for (const [backend, { letters, bytes }] of await letterFigures(
      path.join(node.dataDir, 'dlq'),
      counted,
    )) {
      metrics.set('dead_letters_waiting', letters, { backend })
      metrics.set('dead_letters_bytes', bytes, { backend })
    }
  }

  function lettersTick(): void {
    countLetters().catch((error: unknown) => log.warn({ err: error }, 'counting the dead letters failed'))
  }

  return {
    async start() {
      queue = await openLocalQueue({
        folder: path.join(folder, 'queue'),
        bytesMax: audit.queue_bytes,
        bucketMs: Math.min(BUCKET_MS_MAX, Math.max(100, Math.ceil(audit.after / 6))),
        clock,
      })
      timers.push(
        clock.every(Math.min(TICK_MS, Math.max(50, audit.after)), tick),
        clock.every(LETTERS_EVERY_MS, lettersTick),
      )
      lettersTick()
      const waiting = queue.waitingFirst(node.id)
      context.send('journal', { type: 'audit_open', room: room(), waiting })
    },
    on: {
      audit_frames({ frames }) {
        unqueued.push(...frames.map(taskOf))
        startPut()
      },
      frame_copy: ({ seq, encoded: bytes }) => copies.get(seq)?.(bytes),
    },
    async stop() {
      stopped = true
      for (const cancel of timers) cancel()
      for (const end of copies.values()) end(undefined)
      await engine?.close()
      await checking
      await putting
      await queue?.close()
      await auditLog?.close()
    },
  }
}
