// The actors between a journal and the writers where frames go through JetStream, and who follows the journal.
import { JETSTREAM_CURSOR } from '../../protocol/buffer.js'
import type { BufferOptions } from '../../protocol/config/buffer.js'
import type { NatsOptions } from '../../protocol/config/nats.js'
import type { Config } from '../../protocol/config/schema.js'
import { bufferBackends } from '../../runtime/config/buffer-checks.js'
import type { ActorPlan } from '../../runtime/group-host.js'

export interface PublisherPlan {
  readonly nats: NatsOptions
  readonly buffer: BufferOptions
  /** Each has its consumer before anything is published. */
  readonly backends: readonly string[]
  /** Raw bytes of frames in its hands. */
  readonly creditBytes: number
}

export interface ReceiverPlan {
  readonly nats: NatsOptions
  readonly buffer: BufferOptions
  readonly backend: string
}

/** The cursors of the journal. */
export function followers({ buffer, backends }: Config): string[] {
  return buffer.mode === 'jetstream' ? [JETSTREAM_CURSOR] : Object.keys(backends)
}

/** Of every role: those that the node does not have are left out by who asks. */
export function planBuffer(config: Config): ActorPlan[] {
  const { buffer, nats, records } = config
  if (buffer.mode !== 'jetstream' || nats === undefined) return []
  const publisher: PublisherPlan = {
    nats,
    buffer,
    backends: bufferBackends(config),
    // Beyond the window: what the server has waits a moment until it is sure that it is for all backends.
    creditBytes: Math.ceil(1.5 * buffer.window * records.frame_bytes),
  }
  return [
    // After their writers, whose last acknowledgements they take.
    ...Object.keys(config.backends).map((backend) => ({
      name: `buffer.${backend}`,
      kind: 'receiver',
      options: { nats, buffer, backend } satisfies ReceiverPlan,
    })),
    { name: 'publisher', kind: 'publisher', options: publisher },
  ]
}
