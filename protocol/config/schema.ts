// The whole configuration file as one declaration: types, defaults, checks and the option table come from here.
import { z } from 'zod'
import { backend } from './backends.js'
import { capture } from './capture.js'
import { http, journal, node, records, runtime } from './node.js'
import { report } from './report.js'
import { sampling } from './sampling.js'
import { source } from './sources.js'
import { duration } from './values.js'

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/, 'expected a name of 1 to 63 letters, digits, - and _')

export const configSchema = z.strictObject({
  node,
  http,
  records,
  sources: z.record(name, source),
  sampling,
  backends: z.record(name, backend),
  journal,
  runtime,
  nats: z
    .strictObject({ servers: z.array(z.string()).min(1).describe('Addresses such as nats://127.0.0.1:4222') })
    .optional()
    .describe('NATS servers; left out: the node stands alone'),
  buffer: z
    .strictObject({
      mode: z
        .enum(['local', 'jetstream'])
        .default('local')
        .describe('Where frames are kept until the backends have them'),
    })
    .prefault({}),
  audit: z
    .strictObject({
      after: duration('60s').describe('How long after the acknowledgement a frame is checked'),
    })
    .prefault({}),
  report,
  capture,
})
export type Config = z.output<typeof configSchema>
