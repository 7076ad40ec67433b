// The whole configuration file as one declaration: types, defaults, checks and the option table come from here.
import { z } from 'zod'
import { backend } from './backends.js'
import { http, journal, node, records, runtime } from './node.js'
import { sampling } from './sampling.js'
import { source } from './sources.js'

const name = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/i, 'expected a name of letters, digits, - and _')

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
    .strictObject({ servers: z.array(z.string()).min(1) })
    .optional()
    .describe('NATS servers; left out: the node stands alone'),
  buffer: z.strictObject({ mode: z.enum(['local', 'jetstream']).default('local') }).prefault({}),
  audit: z.strictObject({ after: z.string().default('60s') }).prefault({}),
})
export type Config = z.output<typeof configSchema>
