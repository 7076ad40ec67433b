// The durable consumer of each backend on the stream of frames: declared once, made by whoever comes first, agents included.
import {
  AckPolicy,
  type ConsumerInfo,
  DeliverPolicy,
  JetStreamApiError,
  type JetStreamManager,
} from '@nats-io/jetstream'
import { nanos } from 'nats'
import type { BufferOptions } from '../../protocol/config/buffer.js'
import { MillraceError } from '../../protocol/errors.js'
import { LOGS_OF_ALL, LOGS_STREAM } from '../../protocol/subjects.js'

export type ConsumerOptions = Pick<BufferOptions, 'ack_wait' | 'ack_pending_max'>

const CONSUMER_NOT_FOUND = 10014

/**
 * Interest keeps a message in the stream until each consumer that was there when it came has acknowledged it, so each must be there
 * before the first message. `update`: bring limits that differ in line; for writers, whose limits they are.
 * Throws `nats.consumer` when the server refuses it or it is of another kind.
 */
export async function ensureConsumer(
  manager: JetStreamManager,
  backend: string,
  options: ConsumerOptions,
  update: boolean,
): Promise<ConsumerInfo> {
  const found = await consumerInfo(manager, backend)
  const limits = { ack_wait: nanos(options.ack_wait), max_ack_pending: options.ack_pending_max }
  try {
    if (found === undefined)
      return await manager.consumers.add(LOGS_STREAM, {
        durable_name: backend,
        description: `Millrace: frames on their way to the backend ${backend}`,
        filter_subject: LOGS_OF_ALL,
        deliver_policy: DeliverPolicy.All,
        ack_policy: AckPolicy.Explicit,
        // Without end: a frame leaves when its records are stored or dead letters.
        max_deliver: -1,
        ...limits,
      })
    demandKind(backend, found)
    const { ack_wait, max_ack_pending } = found.config
    if (!update || (ack_wait === limits.ack_wait && max_ack_pending === limits.max_ack_pending)) return found
    return await manager.consumers.update(LOGS_STREAM, backend, limits)
  } catch (error) {
    if (error instanceof MillraceError) throw error
    const said = error instanceof Error ? error.message : String(error)
    const text = `NATS refuses the consumer ${backend} of ${LOGS_STREAM} (${said}); grant it to the account, or make it from a node that may`
    throw new MillraceError('nats.consumer', text, { cause: error })
  }
}

/** What no update can change, or would let messages leave without having been acknowledged. */
function demandKind(backend: string, { config }: ConsumerInfo): void {
  const wrong = [
    config.ack_policy === AckPolicy.Explicit ? undefined : `its ack policy is ${config.ack_policy}`,
    config.deliver_subject === undefined ? undefined : 'it pushes',
    config.filter_subject === undefined || config.filter_subject === LOGS_OF_ALL
      ? undefined
      : `it filters ${config.filter_subject}`,
    (config.max_deliver ?? -1) > 0 ? `it gives up after ${config.max_deliver} deliveries` : undefined,
    (config.inactive_threshold ?? 0) > 0 ? 'it goes away when nobody reads' : undefined,
  ].filter((what) => what !== undefined)
  if (wrong.length === 0) return
  const text = `NATS has a consumer ${backend} of ${LOGS_STREAM} that is not as declared: ${wrong.join(', ')}; remove it with \`nats consumer rm ${LOGS_STREAM} ${backend}\`: the node makes it anew`
  throw new MillraceError('nats.consumer_differs', text)
}

/** Undefined: there is none. */
export async function consumerInfo(
  manager: JetStreamManager,
  backend: string,
): Promise<ConsumerInfo | undefined> {
  try {
    return await manager.consumers.info(LOGS_STREAM, backend)
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === CONSUMER_NOT_FOUND) return undefined
    throw error
  }
}
