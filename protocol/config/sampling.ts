// The options of sampling: static tiers, rates per service, services whose debug records are kept.
import { z } from 'zod'
import { commaList, rate } from './values.js'

export const sampling = z
  .strictObject({
    tiers: z
      .strictObject({
        fatal: rate().default(1),
        error: rate().default(1),
        warn: rate().default(0.5),
        info: rate().optional().describe('A fixed rate for info; left out, `info` decides'),
        debug: rate().default(0),
        trace: rate().default(0),
      })
      .prefault({}),
    info: z
      .strictObject({
        target_per_second: z.number().positive().default(100).describe('Info records per second and service that are kept'),
        floor: rate().default(0.001).describe('Lowest rate of a busy service'),
        services: z.record(z.string(), rate()).default({}).describe('Fixed rates of services'),
      })
      .prefault({}),
    debug_services: commaList().prefault([]).describe('Services whose debug and trace records are kept'),
    metric: rate().default(1).describe('Rate of records with log_type metric'),
    rules: z
      .array(z.strictObject({ name: z.string().optional(), when: z.string(), keep: rate().default(1), weight: z.number().optional(), for: z.string().optional() }))
      .default([])
      .describe('Rules over live metrics'),
  })
  .prefault({})
export type SamplingOptions = z.output<typeof sampling>
