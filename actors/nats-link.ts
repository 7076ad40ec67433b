// An actor's connection to NATS, kept for ever: retries, clock, chance and the log line of a complaint are the same for every actor.
import type { NatsOptions } from '../protocol/config/nats.js'
import type { ActorContext } from '../runtime/actor.js'
import { connectNats } from '../runtime/nats/connection.js'
import { keepLinked, type Link, type LinkOptions } from '../runtime/nats/link.js'

export interface NatsLinkOptions extends Pick<LinkOptions, 'setUp' | 'changed'> {
  /** How the server shows the connection. */
  readonly name: string
  /** The smallest `max_payload` that will do. */
  readonly payloadBytesMin?: number
  /** Told beside the log. */
  complaint?(error: Error): void
}

export function linkToNats(context: ActorContext, nats: NatsOptions, options: NatsLinkOptions): Link {
  const { name, payloadBytesMin, setUp, changed, complaint } = options
  return keepLinked({
    connect: () => connectNats(nats, name, payloadBytesMin),
    setUp,
    changed,
    complaint(error) {
      context.log.warn({ event: 'nats', connection: name, reason: error.message }, 'NATS complains')
      complaint?.(error)
    },
    retry: nats.retry,
    clock: context.clock,
    random: () => context.random(),
  })
}
