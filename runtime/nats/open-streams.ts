// Opens the streams that serve given purposes on a fresh connection: made or brought in line, and checked to be as declared.
import type { JetStreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from 'nats'
import type { NatsOptions } from '../../protocol/config/nats.js'
import { declareStreams, type StreamPurpose } from './declarations.js'
import { ensureStream, openStreams } from './streams.js'

/** Frames and their pieces. */
export const FRAME_STREAMS = ['logs', 'parts'] as const

/** Throws `nats.jetstream`, `nats.stream` or `nats.stream_differs`. `done` is told what was made or changed. */
export async function openStreamsFor(
  purposes: readonly StreamPurpose[],
  connection: NatsConnection,
  nats: Pick<NatsOptions, 'streams'>,
  done: (what: string) => void = () => undefined,
): Promise<JetStreamManager> {
  const manager = await openStreams(connection)
  const { replicas } = nats.streams
  for (const stream of declareStreams(nats))
    if (purposes.includes(stream.purpose)) await ensureStream(manager, stream, { replicas, done })
  return manager
}
