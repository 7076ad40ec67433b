// The connection to NATS that a capture is stored through.
import { connect, type NatsConnection } from 'nats'
import type { Config } from '../../../protocol/config/schema.js'

/** Tries each server once: who stores a capture tries again by itself. */
export function connectForCapture(
  nats: NonNullable<Config['nats']>,
  timeoutMs: number,
): Promise<NatsConnection> {
  return connect({ servers: nats.servers, name: 'millrace captures', timeout: timeoutMs, reconnect: false })
}
