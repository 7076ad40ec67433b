// The audit's queue that all nodes of a cluster share: a work queue in JetStream; any node takes what is due.
import { AckPolicy, type Consumer, jetstream, jetstreamManager, type JsMsg } from '@nats-io/jetstream'
import { nanos, type NatsConnection } from 'nats'
import type { AuditTask } from '../../protocol/audit.js'
import { MillraceError } from '../../protocol/errors.js'
import type { Clock } from '../../runtime/clock.js'
import type { AuditQueue, Leased } from './queue.js'

/*
 * <subjects>.first and <subjects>.again: tasks of one stage, with a durable consumer each. Within a stage tasks become due in about the
 * order in which they were put, so those that were fetched too early go back with a delay (a negative acknowledgement, ADR-1) and
 * hold nothing up. A node that dies gives its tasks back after ACK_WAIT. A task that is postponed is published anew before the old
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
  readonly clock: Clock
  /** How often a node looks for tasks. */
  readonly pollMs: number
  /** A task that ended every node that took it. */
  givenUp(task: AuditTask): void
}

const STAGES = ['first', 'again'] as const
const ACK_WAIT_MS = 120_000
const WORKING_EVERY_MS = 30_000
/** One too early, one when it is due, and a node that dies with it now and then. */
const DELIVERIES_MAX = 50
/** Messages that went back with a delay count as well. */
const ACK_PENDING_MAX = 20_000
/** The shortest that a fetch may wait. */
const FETCH_MS = 1000
/** The stream has a bound of its own and refuses what is beyond; then frames wait in the journal. */
const ROOM = 4096

/** Rejects when the stream is not there, or is none that can be a queue. */
export async function openJetStreamQueue(options: JetStreamQueueOptions): Promise<AuditQueue<SharedLease>> {
  const { connection, stream, subjects, clock } = options
  const js = jetstream(connection)
  const manager = await jetstreamManager(connection)
  const open: Consumer[] = []
  for (const stage of STAGES) {
    const name = `${options.consumers}-${stage}`
    await manager.consumers.add(stream, {
      durable_name: name,
      filter_subject: `${subjects}.${stage}`,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(ACK_WAIT_MS),
      max_deliver: DELIVERIES_MAX + 10,
      max_ack_pending: ACK_PENDING_MAX,
    })
    open.push(await js.consumers.get(stream, name))
  }
  const held = new Set<JsMsg>()
  let waiting = 0
  let polledMs = Number.NEGATIVE_INFINITY
  let full = false
  // A check of hundreds of frames with repairs may take longer than ACK_WAIT.
  const cancel = clock.every(WORKING_EVERY_MS, () => {
    for (const message of held) message.working()
  })

  async function publish(task: AuditTask): Promise<void> {
    const msgID = `${task.id}-${task.stage}-${task.repairs}-${task.postponed}`
    await js.publish(`${subjects}.${task.stage}`, JSON.stringify(task), { msgID })
  }

  async function put(tasks: readonly AuditTask[]): Promise<void> {
    try {
      await Promise.all(tasks.map(publish))
      full = false
    } catch (cause) {
      full = true
      const text = `the audit's stream ${stream} takes no tasks (${String(cause)}): frames wait in the journal`
      throw new MillraceError('audit.queue_full', text, { cause })
    }
  }

  /** Undefined: not for now, or never. */
  function lease(message: JsMsg): SharedLease | undefined {
    const task = taskOf(message)
    if (task === undefined) {
      message.term('not a task of the audit')
      return undefined
    }
    if (message.info.deliveryCount > DELIVERIES_MAX) {
      message.term('given up after too many deliveries')
      options.givenUp(task)
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
        await message.ackAck()
        held.delete(message)
      }),
    )
  }

  return {
    put,
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
    async later(changes) {
      await put(changes.map(({ task }) => task))
      await acknowledge(changes.map(({ leased }) => leased))
    },
    waitingFirst: () => [],
    room: () => (full ? 1 : ROOM),
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

/** Anybody may publish there: what is no task is none. */
function taskOf(message: JsMsg): AuditTask | undefined {
  try {
    const task = message.json<Partial<AuditTask>>()
    const sound =
      typeof task.id === 'string' &&
      Number.isInteger(task.count) &&
      Number.isFinite(task.fromMs) &&
      Number.isFinite(task.toMs) &&
      Number.isFinite(task.dueMs) &&
      (task.stage === 'first' || task.stage === 'again')
    return sound ? (task as AuditTask) : undefined
  } catch {
    return undefined
  }
}
