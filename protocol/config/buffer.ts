// The options of the buffer between the nodes that read logs and those that write to the backends.
import { z } from 'zod'
import { duration } from './values.js'

export const buffer = z
  .strictObject({
    mode: z
      .enum(['local', 'jetstream'])
      .default('local')
      .describe(
        'Where frames wait for the backends: local = in the journal of this node; jetstream = in NATS, from where any writer takes them',
      ),
    backends: z
      .array(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/, 'expected the name of a backend'))
      .default([])
      .describe(
        'jetstream: names of the backends that writers have beyond the section backends here; nothing is published before each has its consumer',
      ),
    window: z
      .number()
      .int()
      .min(1)
      .max(1024)
      .default(32)
      .describe('jetstream: frames published and not yet acknowledged by the server'),
    publish_timeout: duration('5s', { min: '100ms', max: '1m' }).describe(
      'jetstream: a frame without an acknowledgement for so long is published again',
    ),
    ack_wait: duration('30s', { min: '1s', max: '1h' }).describe(
      'jetstream: a frame whose writer is silent for so long goes to another',
    ),
    ack_pending_max: z
      .number()
      .int()
      .min(1)
      .max(65_536)
      .default(1024)
      .describe('jetstream: frames of a backend in the hands of all its writers together'),
  })
  .prefault({})
export type BufferOptions = z.output<typeof buffer>
