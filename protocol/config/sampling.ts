// The options of sampling: static tiers, rates per service, services whose debug records are kept.
import { z } from 'zod'
import { commaList, rate } from './values.js'

export const sampling = z
  .strictObject({
    tiers: z
      .strictObject({
        fatal: rate().default(1).describe('Rate of FATAL records'),
        error: rate().default(1).describe('Rate of ERROR records'),
        warn: rate().default(0.5).describe('Rate of WARN records'),
        info: rate()
          .optional()
          .describe(
            'Rate of INFO records and of those without a level; left out: `info.services`, else all are kept',
          ),
        debug: rate().default(0).describe('Rate of DEBUG records'),
        trace: rate().default(0).describe('Rate of TRACE records'),
      })
      .prefault({}),
    info: z
      .strictObject({
        target_per_second: z
          .number()
          .positive()
          .default(100)
          .describe('Info records per second and service that are kept'),
        floor: rate().default(0.001).describe('Lowest rate of a busy service'),
        services: z.record(z.string(), rate()).default({}).describe('Fixed rates of services'),
      })
      .prefault({}),
    debug_services: commaList().prefault([]).describe('Services whose debug and trace records are kept'),
    metric: rate().default(1).describe('Rate of records with log_type metric'),
    rules: z
      .array(
        z.strictObject({
          name: z.string().optional().describe("Name in the rule's metrics"),
          when: z.string().describe('Condition over live metrics'),
          keep: rate().default(1).describe('Rate while it holds'),
          weight: z.number().optional().describe('Which rule wins where several hold'),
          for: z.string().optional().describe('How long it stays on'),
        }),
      )
      .default([])
      .describe('Rules over live metrics'),
  })
  .prefault({})
export type SamplingOptions = z.output<typeof sampling>
