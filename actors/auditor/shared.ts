// The audit over NATS: the queue that nodes with the same backends share, and their word to each other, while there is a connection.
import { createHash } from 'node:crypto'
import type { JetStreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from 'nats'
import type { AuditTask } from '../../protocol/audit.js'
import type { AuditOptions } from '../../protocol/config/audit.js'
import type { BackendOptions } from '../../protocol/config/backends.js'
import type { NatsOptions } from '../../protocol/config/nats.js'
import { AUDIT_STREAM, auditConsumers, auditSubjects, LOGS_STREAM } from '../../protocol/subjects.js'
import type { ActorContext } from '../../runtime/actor.js'
import { openStreamsFor } from '../../runtime/nats/open-streams.js'
import { type LetterStream, openLetterStream } from '../letters/letter-stream.js'
import { natsLine } from '../nats-line.js'
import { openJetStreamQueue } from './jetstream-queue.js'
import type { LogStreamState } from './passage.js'
import { openPeers, type Peers, type Told } from './peers.js'
import type { AuditQueue } from './queue.js'

export interface SharedOptions {
  readonly nats: NatsOptions
  readonly audit: AuditOptions
  readonly backends: Readonly<Record<string, BackendOptions>>
  /** The shared queue is there, or gone. */
  share(queue: AuditQueue | undefined): void
  /** Where frames go through JetStream: the names of all backends, and whether this node has each of them. */
  readonly buffered?: BufferedAudit
  heard(told: Told): Promise<void>
  /** A frame of this node's journal. */
  frame(seq: number): Promise<Uint8Array | undefined>
  givenUp(task: AuditTask): Promise<void>
  trouble(reason: string | undefined): void
}

export interface Shared {
  /** True once the node has it; false when it does not answer, or there is no connection. */
  tell(node: string, told: Told): Promise<boolean>
  /** The dead letters of all nodes, while there is a connection. */
  letters(): LetterStream | undefined
  /** What lies in JetStream's log stream; undefined: there is no connection, or no answer. */
  logs(): Promise<LogStreamState | undefined>
  /** From the journal of another node; undefined when that has it no more, or is away. */
  copy(task: AuditTask): Promise<Uint8Array | undefined>
  leave(): Promise<void>
}

export interface BufferedAudit {
  readonly backends: readonly string[]
  /** False: this node makes tasks of its frames, and others check them. */
  readonly checks: boolean
}

const POLL_MS_MIN = 250

/** What makes two nodes ask the same backends in the same way: they can check each other's frames. */
export function backendsToken(backends: Readonly<Record<string, BackendOptions>>): string {
  const asked = Object.entries(backends).flatMap(([name, backend]): unknown[] => {
    switch (backend.type) {
      case 'archive':
        return []
      case 'elasticsearch':
        return [[name, backend.url, backend.index, backend.data_stream]]
      case 'loki':
        return [[name, backend.url, backend.tenant ?? '', backend.labels]]
    }
  })
  return tokenOf(asked.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)))
}

/**
 * Agents know no more of the backends than their names, which are the names of the consumers: whoever writes what these hand out writes
 * to the same ones.
 */
export function bufferToken(backends: readonly string[]): string {
  return tokenOf(['jetstream', ...backends.toSorted()])
}

function tokenOf(asked: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(asked)).digest('hex').slice(0, 12)
}

export function joinShared(context: ActorContext, options: SharedOptions): Shared {
  const { clock, log, metrics, node } = context
  const { nats, audit } = options
  const { buffered } = options
  const token = buffered === undefined ? backendsToken(options.backends) : bufferToken(buffered.backends)
  let queue: AuditQueue | undefined
  let peers: Peers | undefined
  let letters: LetterStream | undefined
  let streams: JetStreamManager | undefined

  const foreign = (subject: string) => (): void => {
    metrics.add('nats_refused_total', 1, { subject, reason: 'malformed' })
  }

  async function up(connection: NatsConnection): Promise<void> {
    letters = await openLetterStream(connection, node.clusterId)
    streams = await openStreamsFor(['audit'], connection, nats, (what) => log.info({ event: 'nats' }, what))
    queue = await openJetStreamQueue({
      connection,
      stream: AUDIT_STREAM,
      subjects: auditSubjects(node.clusterId, token),
      consumers: auditConsumers(node.clusterId, token),
      takes: buffered?.checks ?? true,
      clock,
      pollMs: Math.max(POLL_MS_MIN, audit.gather),
      ackWaitMs: audit.lease,
      givenUp: (task) => options.givenUp(task),
      foreign: foreign('audit'),
    })
    const { clusterId, id } = node
    const heard = (told: Told) => options.heard(told)
    const frame = (seq: number) => options.frame(seq)
    peers = openPeers({ connection, clusterId, node: id, heard, frame, foreign: foreign('auditor') })
    options.share(queue)
  }

  function down(): void {
    options.share(undefined)
    peers?.close()
    const last = queue
    queue = undefined
    peers = undefined
    letters = undefined
    streams = undefined
    last?.close().catch((error: unknown) => log.warn({ err: error }, 'audit: the shared queue ended'))
  }

  const leave = natsLine(context, nats).join({ up, down, trouble: (reason) => options.trouble(reason) })
  return {
    tell: async (to, told) => (await peers?.tell(to, told)) ?? false,
    letters: () => letters,
    async logs() {
      const info = await streams?.streams.info(LOGS_STREAM).catch(() => undefined)
      return info?.state
    },
    copy: async ({ node: from, seq }) => peers?.copy(from, seq),
    async leave() {
      peers?.close()
      await leave()
    },
  }
}
