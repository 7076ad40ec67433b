// What auditors tell each other over NATS: frames that were checked for a node, and tasks that only that node can mend.
import type { NatsConnection } from 'nats'
import { type AuditTask, soundTask } from '../../protocol/audit.js'
import { auditorFrameSubject, auditorSubject } from '../../protocol/subjects.js'
import { answerFrames, copyFrame } from './frame-copies.js'

/*
 * A request to millrace.auditor.<cluster>.<node>, answered once its part is durable there:
 *   { confirmed: [[seq, id], …], tasks: [task, …] }   →   { taken: n }
 * Nobody answers for a node that is away. Then its tasks stay in the shared queue, and what was confirmed is checked again by that node.
 */
export interface Told {
  readonly confirmed: readonly (readonly [seq: number, id: string])[]
  readonly tasks: readonly AuditTask[]
}

export interface Peers {
  /** True once the node has it. */
  tell(node: string, told: Told): Promise<boolean>
  /** The frame in that node's journal; undefined when it is not there, or the node does not answer. */
  copy(node: string, seq: number): Promise<Uint8Array | undefined>
  close(): void
}

export interface PeersOptions {
  readonly connection: NatsConnection
  readonly clusterId: string
  readonly node: string
  /** What another node says; resolves when the tasks are durable. */
  heard(told: Told): Promise<void>
  /** A frame of this node's journal; undefined when that has let go of it. */
  frame(seq: number): Promise<Uint8Array | undefined>
  /** A message that is none of ours. */
  foreign(): void
}

/** A checked batch has at most 1000 frames, a task 300 bytes: a part of a message's 256 KiB. */
const TASKS_PER_REQUEST = 400
const ANSWER_MS = 3000

export function openPeers(options: PeersOptions): Peers {
  const { connection, clusterId } = options
  const subscription = connection.subscribe(auditorSubject(clusterId, options.node), {
    callback(error, message) {
      if (error !== null) return
      let told: Told | undefined
      try {
        told = readTold(message.json(), options.node)
      } catch {
        told = undefined
      }
      if (told === undefined) return options.foreign()
      const taken = told.confirmed.length + told.tasks.length
      options.heard(told).then(
        () => void (connection.isClosed() || message.respond(JSON.stringify({ taken }))),
        // No answer: the sender keeps its tasks.
        () => undefined,
      )
    },
  })
  const closeFrames = answerFrames(options)
  return {
    copy: (node, seq) => copyFrame(connection, auditorFrameSubject(clusterId, node), seq),
    async tell(node, { confirmed, tasks }) {
      const subject = auditorSubject(clusterId, node)
      const most = Math.max(confirmed.length, tasks.length)
      try {
        for (let at = 0; at < most; at += TASKS_PER_REQUEST) {
          const end = at + TASKS_PER_REQUEST
          const part: Told = { confirmed: confirmed.slice(at, end), tasks: tasks.slice(at, end) }
          await connection.request(subject, JSON.stringify(part), { timeout: ANSWER_MS })
        }
        return true
      } catch {
        return false
      }
    },
    close() {
      closeFrames()
      if (!connection.isClosed()) subscription.unsubscribe()
    },
  }
}

/** Undefined for what no auditor says, and for tasks of other nodes. */
export function readTold(value: unknown, node: string): Told | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { confirmed, tasks } = value as Record<string, unknown>
  if (!Array.isArray(confirmed) || !Array.isArray(tasks)) return undefined
  if (confirmed.length > TASKS_PER_REQUEST || tasks.length > TASKS_PER_REQUEST) return undefined
  const pairs = confirmed.flatMap((pair: unknown) => {
    if (!Array.isArray(pair)) return []
    const [seq, id] = pair as unknown[]
    return Number.isSafeInteger(seq) && typeof id === 'string' ? [[seq as number, id] as const] : []
  })
  const sound = tasks.flatMap((task) => soundTask(task) ?? [])
  if (pairs.length < confirmed.length || sound.length < tasks.length) return undefined
  return sound.every((task) => task.node === node) ? { confirmed: pairs, tasks: sound } : undefined
}
