// The audit's queue that all nodes of a cluster share: a work queue in JetStream; any node takes what is due.
import { AckPolicy, type Consumer, jetstream, jetstreamManager, type JsMsg } from '@nats-io/jetstream'
import { nanos, type NatsConnection } from 'nats'
import { type AuditTask, soundTask } from '../../protocol/audit.js'
import { MillraceError } from '../../protocol/errors.js'
import type { Clock } from '../../runtime/clock.js'
import { ensureDurable } from '../../runtime/nats/consumers.js'
import type { AuditQueue, Leased } from './queue.js'

/*
 * <subjects>.first and <subjects>.again: tasks of one stage, with a durable consumer each. Within a stage tasks become due in about the
 * order in which they were put, so those that were fetched too early go back with a delay (a negative acknowledgement, ADR-1) and
 * hold nothing up. A node that dies gives its tasks back after `ackWaitMs`. A task that is postponed is published anew before the old
 * message is acknowledged: deliveries count crashes only.
 */
export interface SharedLease extends Leased {
  readonly message: JsMsg
}

export interface JetStreamQueueOptions {
  readonly connection: NatsConnection
  /** A stream with work-queue retention that takes `<subjects>.*`; made by whoever opens the connection. */
  readonly stream: string
  readonly subjects: string
  /** Begins the consumers' names. */
  readonly consumers: string
  /** False: this node only puts. */
  readonly takes: boolean
  readonly clock: Clock
  /** How often a node looks for tasks. */
  readonly pollMs: number
  /** A task of which nobody has heard for so long goes to another node. */
  readonly ackWaitMs: number
  /** A task that ended every node that took it: it leaves the queue once this resolves. */
  givenUp(task: AuditTask): Promise<void>
  /** A message that is no task was put aside. */
  foreign(): void
}

const STAGES = ['first', 'again'] as const
/** The consumers of backends that nobody has any more go with their last task. */
const CONSUMER_UNUSED_MS = 7 * 86_400_000
/** One too early, one when it is due, and a node that dies with it now and then. */
const DELIVERIES_MAX = 50
/** Messages that went back with a delay count as well. */
const ACK_PENDING_MAX = 20_000
/** The shortest that a fetch may wait. */
const FETCH_MS = 1000
/** Longest wait for the server's word that it has a task; tasks under way at once. */
const PUBLISH_MS = 5000
const PUBLISHES_MAX = 256
/** The stream has a bound of its own and refuses what is beyond; then frames wait in the journal. */
const ROOM = 4096

/** Rejects when the stream is not there, or is none that can be a queue. */
export async function openJetStreamQueue(options: JetStreamQueueOptions): Promise<AuditQueue<SharedLease>> {
  const { connection, stream, subjects, clock } = options
  const js = jetstream(connection)
  const manager = await jetstreamManager(connection)
  const open: Consumer[] = []
  for (const stage of options.takes ? STAGES : []) {
    const name = `${options.consumers}-${stage}`
    const config = {
      durable_name: name,
      filter_subject: `${subjects}.${stage}`,
      ack_policy: AckPolicy.Explicit,
      max_deliver: -1,
      inactive_threshold: nanos(CONSUMER_UNUSED_MS),
    }
    // A node with another lease: the last one counts.
    const limits = { ack_wait: nanos(options.ackWaitMs), max_ack_pending: ACK_PENDING_MAX }
    await ensureDurable(manager, { stream, config, limits }, { update: true })
    open.push(await js.consumers.get(stream, name))
  }
  const held = new Set<JsMsg>()
  let waiting = 0
  let polledMs = Number.NEGATIVE_INFINITY
  // A check of hundreds of frames with repairs may take longer than a lease.
  const cancel = clock.every(options.ackWaitMs / 4, () => {
    if (connection.isClosed()) return
    for (const message of held) message.working()
  })

  /** The same task put twice within the server's window is one; one that comes again later must not be taken for it. */
  async function publish(task: AuditTask, fresh: boolean): Promise<void> {
    const known = fresh ? { msgID: `${task.id}-${task.stage}-${task.dueMs}` } : {}
    await js.publish(`${subjects}.${task.stage}`, JSON.stringify(task), { ...known, timeout: PUBLISH_MS })
  }

  async function publishAll(tasks: readonly AuditTask[], fresh: boolean): Promise<void> {
    try {
      for (let at = 0; at < tasks.length; at += PUBLISHES_MAX)
        await Promise.all(tasks.slice(at, at + PUBLISHES_MAX).map((task) => publish(task, fresh)))
    } catch (cause) {
      const text = `the audit's stream ${stream} takes no tasks (${String(cause)})`
      throw new MillraceError('audit.queue_full', text, { cause })
    }
  }

  /** Undefined: not for now, or never. */
  function lease(message: JsMsg): SharedLease | undefined {
    const task = taskOf(message)
    if (task === undefined) {
      message.term('not a task of the audit')
      options.foreign()
      return undefined
    }
    if (message.info.deliveryCount > DELIVERIES_MAX) {
      // Where that fails it is delivered again, and given up then.
      options.givenUp(task).then(
        () => message.term('given up after too many deliveries'),
        () => undefined,
      )
      return undefined
    }
    const earlyMs = task.dueMs - clock.now()
    if (earlyMs > 0) {
      message.nak(earlyMs)
      return undefined
    }
    held.add(message)
    return { task, message }
  }

  async function fetch(consumer: Consumer, most: number, into: SharedLease[]): Promise<void> {
    const messages = await consumer.fetch({ max_messages: most, expires: FETCH_MS })
    for await (const message of messages) {
      const leased = lease(message)
      if (leased !== undefined) into.push(leased)
    }
  }

  async function acknowledge(leased: readonly SharedLease[]): Promise<void> {
    await Promise.all(
      leased.map(async ({ message }) => {
        // Confirmed by the server: else a task that is through would come again after a lost acknowledgement.
        await message.ackAck().finally(() => held.delete(message))
      }),
    )
  }

  function giveBack(leased: readonly SharedLease[]): void {
    for (const { message } of leased) if (held.delete(message) && !connection.isClosed()) message.nak()
  }

  return {
    put: (tasks, again = false) => publishAll(tasks, !again),
    async take(most) {
      polledMs = clock.now()
      const leased: SharedLease[] = []
      for (const consumer of open)
        if (leased.length < most) await fetch(consumer, most - leased.length, leased)
      const infos = await Promise.all(open.map((consumer) => consumer.info()))
      waiting = infos.reduce((sum, info) => sum + info.num_pending + info.num_ack_pending, 0)
      return leased
    },
    done: acknowledge,
    giveBack,
    async later(changes) {
      await publishAll(
        changes.map(({ task }) => task),
        false,
      )
      await acknowledge(changes.map(({ leased }) => leased))
    },
    waitingFirst: () => [],
    room: () => ROOM,
    figures() {
      // What others have put is not known before a look: it is due again after pollMs.
      const isDue = clock.now() - polledMs >= options.pollMs
      return { waiting, due: isDue ? 1 : 0, oldestDueMs: isDue ? polledMs : undefined }
    },
    async close() {
      cancel()
      // What it held comes again after ACK_WAIT then.
      if (connection.isClosed()) return
      for (const message of held) message.nak()
      held.clear()
      await connection.flush()
    },
  }
}

function taskOf(message: JsMsg): AuditTask | undefined {
  try {
    return soundTask(message.json())
  } catch {
    return undefined
  }
}
