// Opens the streams of frames on a fresh connection: made or brought in line, and checked to be such that nothing is lost in them.
import type { JetStreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from 'nats'
import type { NatsOptions } from '../../protocol/config/nats.js'
import { declareStreams } from './declarations.js'
import { ensureStream, openStreams } from './streams.js'

/** Throws `nats.jetstream`, `nats.stream` or `nats.stream_differs`. `done` is told what was made or changed. */
export async function openLogStreams(
  connection: NatsConnection,
  nats: NatsOptions,
  done: (what: string) => void,
): Promise<JetStreamManager> {
  const manager = await openStreams(connection)
  const { replicas } = nats.streams
  for (const stream of declareStreams(nats))
    if (stream.purpose === 'logs' || stream.purpose === 'parts')
      await ensureStream(manager, stream, { replicas, done })
  return manager
}
