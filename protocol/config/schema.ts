// The whole configuration file as one declaration: types, defaults, checks and the option table come from here.
import { z } from 'zod'
import { audit } from './audit.js'
import { backend } from './backends.js'
import { buffer } from './buffer.js'
import { capture } from './capture.js'
import { nats } from './nats.js'
import { http, journal, node, records, runtime } from './node.js'
import { report } from './report.js'
import { sampling } from './sampling.js'
import { source } from './sources.js'

// zod would write and compile a function for each object, which pays for many values; a configuration is one.
z.config({ jitless: true })

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/, 'expected a name of 1 to 63 letters, digits, - and _')

export const configSchema = z.strictObject({
  node,
  http,
  records,
  sources: z.record(name, source).default({}),
  sampling,
  backends: z.record(name, backend).default({}),
  journal,
  runtime,
  nats,
  buffer,
  report,
  audit,
  capture,
})
export type Config = z.output<typeof configSchema>
