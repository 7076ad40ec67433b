// Durable consumers: made by whoever comes first, and brought in line; among them that of each backend on the stream of frames.
import {
  AckPolicy,
  type ConsumerConfig,
  type ConsumerInfo,
  DeliverPolicy,
  JetStreamApiError,
  type JetStreamManager,
} from '@nats-io/jetstream'
import { nanos } from 'nats'
import type { BufferOptions } from '../../protocol/config/buffer.js'
import { MillraceError, saidOf } from '../../protocol/errors.js'
import { LOGS_OF_ALL, LOGS_STREAM } from '../../protocol/subjects.js'

export type ConsumerOptions = Pick<BufferOptions, 'ack_wait' | 'ack_pending_max'>

export interface Durable {
  readonly stream: string
  /** Beside its name, what stays as it was made. */
  readonly config: Partial<ConsumerConfig> & Pick<ConsumerConfig, 'ack_policy'> & { durable_name: string }
  /** What can be changed under those that read from it. */
  readonly limits: Pick<ConsumerConfig, 'ack_wait' | 'max_ack_pending'>
}

const CONSUMER_NOT_FOUND = 10014
/** It exists with another configuration: another node was quicker. */
const CONSUMER_EXISTS = 10148

/** `update`: bring limits that differ in line. `demand` looks at one that was there, and throws when it can not be used. */
export async function ensureDurable(
  manager: JetStreamManager,
  durable: Durable,
  { update, demand }: { readonly update: boolean; demand?(found: ConsumerInfo): void },
): Promise<ConsumerInfo> {
  const { stream, config, limits } = durable
  const name = config.durable_name
  const found = (await durableInfo(manager, stream, name)) ?? (await add(manager, durable))
  demand?.(found)
  const { ack_wait, max_ack_pending } = found.config
  if (!update || (ack_wait === limits.ack_wait && max_ack_pending === limits.max_ack_pending)) return found
  return manager.consumers.update(stream, name, limits)
}

async function add(manager: JetStreamManager, { stream, config, limits }: Durable): Promise<ConsumerInfo> {
  try {
    return await manager.consumers.add(stream, { ...config, ...limits })
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== CONSUMER_EXISTS) throw error
    return manager.consumers.info(stream, config.durable_name)
  }
}

/** Undefined: there is none. */
async function durableInfo(
  manager: JetStreamManager,
  stream: string,
  name: string,
): Promise<ConsumerInfo | undefined> {
  try {
    return await manager.consumers.info(stream, name)
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === CONSUMER_NOT_FOUND) return undefined
    throw error
  }
}

/** The consumer of a backend. Undefined: there is none. */
export const consumerInfo = (manager: JetStreamManager, backend: string): Promise<ConsumerInfo | undefined> =>
  durableInfo(manager, LOGS_STREAM, backend)

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
  const config = {
    durable_name: backend,
    description: `Millrace: frames on their way to the backend ${backend}`,
    filter_subject: LOGS_OF_ALL,
    deliver_policy: DeliverPolicy.All,
    ack_policy: AckPolicy.Explicit,
    // Without end: a frame leaves when its records are stored or dead letters.
    max_deliver: -1,
  }
  const limits = { ack_wait: nanos(options.ack_wait), max_ack_pending: options.ack_pending_max }
  const demand = (found: ConsumerInfo): void => demandKind(backend, found)
  try {
    return await ensureDurable(manager, { stream: LOGS_STREAM, config, limits }, { update, demand })
  } catch (error) {
    if (error instanceof MillraceError) throw error
    const text = `NATS refuses the consumer ${backend} of ${LOGS_STREAM} (${saidOf(error)}); grant it to the account, or make it from a node that may`
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
