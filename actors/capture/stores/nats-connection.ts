// The connection to NATS that a capture is stored through, and the bucket as it is declared for all.
import type { NatsConnection } from 'nats'
import { nanos } from 'nats'
import type { Config } from '../../../protocol/config/schema.js'
import { connectNats } from '../../../runtime/nats/connection.js'
import { declareStreams } from '../../../runtime/nats/declarations.js'
import { ensureStream, openStreams } from '../../../runtime/nats/streams.js'

type NatsSection = NonNullable<Config['nats']>

/** Tries each server once: who stores a capture tries again by itself. */
export function connectForCapture(nats: NatsSection, timeoutMs: number): Promise<NatsConnection> {
  return connectNats({ ...nats, connect_timeout: timeoutMs }, 'millrace captures')
}

/** Makes an object bucket with the declared limits and copies; the declaration's own name, or another one. */
export async function makeBucket(
  connection: NatsConnection,
  nats: NatsSection,
  bucket: string,
  retentionMs: number,
): Promise<void> {
  const declared = declareStreams(nats).find(({ purpose }) => purpose === 'captures')
  if (declared === undefined) throw new Error('no declaration of the captures')
  const subjects = [`$O.${bucket}.C.>`, `$O.${bucket}.M.>`]
  const stream = {
    ...declared,
    name: `OBJ_${bucket}`,
    config: { ...declared.config, subjects, max_age: nanos(retentionMs) },
  }
  const options = { replicas: nats.streams.replicas, done: () => undefined }
  await ensureStream(await openStreams(connection), stream, options)
}
