// What an actor is: its messages' handlers, and the context through which it meets the world.
import type { Logger } from 'pino'
import type { Message, MessageOf, MessageType } from '../protocol/messages.js'
import type { Clock } from './clock.js'
import type { Metrics } from './metrics.js'
import type { Slots } from './slots.js'
import type { LiveSettings } from './live-settings.js'

export interface Actor {
  /** Called once, before the first message; a rejection is a crash of the group. */
  start?(): void | Promise<void>
  readonly on: Handlers
  /** Called on shutdown; must end within the supervisor's bound. */
  stop?(): void | Promise<void>
}

/** One handler a message type; an actor that gets a type it has no handler for is a bug, and crashes its group. */
export type Handlers = { readonly [T in MessageType]?: (message: MessageOf<T>, from: string) => void }

export interface ActorContext {
  /** `parse`, `journal`, `source.pods`, `writer.es`, … */
  readonly name: string
  /** Node facts from the configuration. */
  readonly node: { readonly id: string; readonly clusterId: string; readonly dataDir: string }
  /** Sends to another actor: a call when both share a thread, else a msgpack message. `supervisor` is an address too. */
  send(to: string, message: Message): void
  /** A bug or an unrecoverable fault: the group crashes and the supervisor restarts it. */
  fail(error: unknown): void
  readonly clock: Clock
  /** Uniform in [0, 1). */
  random(): number
  readonly log: Logger
  readonly metrics: Metrics
  /** Frame memory shared by all threads. */
  readonly slots: Slots
  /** Settings that change while running. */
  readonly live: LiveSettings
  /** Increases with every start of this actor's group. */
  readonly epoch: number
  /** `run --once`: read to the end, then stop. */
  readonly once: boolean
  /** Things shared by the actors of one thread (the kernel, the slab memory), made on first use. */
  local<T>(key: string, make: () => T): T
}

/** Builds an actor from its part of the configuration. */
export type ActorFactory<Options> = (context: ActorContext, options: Options) => Actor
