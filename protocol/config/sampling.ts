// The options of sampling: tiers, rates that follow a service's traffic, services whose debug records are kept, rules over live metrics.
import { z } from 'zod'
import { commaList, duration, rate } from './values.js'

/** Bounds the work of one window: each rule is evaluated for every service once a second. */
const RULES_MAX = 64
/** Each service of the live part costs some kilobytes in two threads. */
const SERVICES_MAX = 8192
const FIELDS_MAX = 16

const LATENCY_FIELDS = {
  latency_ms: 'ms',
  duration_ms: 'ms',
  elapsed_ms: 'ms',
  response_time_ms: 'ms',
  'http.duration_ms': 'ms',
} as const
const STATUS_FIELDS = ['status', 'status_code', 'http.status', 'http.status_code']

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
            'Rate of INFO records and of those without a level; left out: `info.services`, else it follows the traffic of their service',
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
          .describe('Info records per second and service that are kept, of all nodes together'),
        floor: rate().default(0.001).describe('Lowest rate of a busy service'),
        window: duration('10s', { min: '3s', max: '60s' }).describe(
          'How far back the traffic is looked at; its busiest two neighbouring seconds (below `6s`: one) do not count, unless they are a burst that comes again within this time',
        ),
        services: z
          .record(z.string(), rate())
          .default({})
          .describe('Fixed rates of services, by `service` or `namespace/service`'),
        services_max: z
          .number()
          .int()
          .min(1)
          .max(SERVICES_MAX)
          .default(2048)
          .describe('Services whose traffic is followed; all others share one rate'),
      })
      .prefault({}),
    debug_services: commaList()
      .prefault([])
      .describe(
        'Services whose debug and trace records are kept, by `service` or `namespace/service`; left out: the variable DEBUG_SERVICES',
      ),
    metric: rate()
      .default(1)
      .describe('Rate of records with log_type metric; rules leave it unless they name log_type'),
    window: z
      .strictObject({
        length: duration('10s', { min: '1s', max: '5m' }).describe(
          'How far back the metrics of rules look; they move once a second',
        ),
        records_min: z
          .number()
          .int()
          .min(1)
          .default(20)
          .describe('A metric is unknown while the window holds fewer records of the service'),
      })
      .prefault({}),
    fields: z
      .strictObject({
        status: z
          .array(z.string().min(1))
          .max(FIELDS_MAX)
          .default([...STATUS_FIELDS])
          .describe('Where a record holds its status code; a dot means a key with a dot, else a key within'),
        latency: z
          .record(z.string().min(1), z.enum(['ns', 'us', 'ms', 's']))
          .refine(
            (fields) => Object.keys(fields).length <= FIELDS_MAX,
            `expected at most ${FIELDS_MAX} fields`,
          )
          .default({ ...LATENCY_FIELDS })
          .describe('Where a record holds its latency, and in which unit'),
      })
      .prefault({}),
    rules: z
      .array(
        z.strictObject({
          name: z
            .string()
            .min(1, 'expected a text that is not empty')
            .optional()
            .describe("Name in the rule's metrics"),
          when: z.string().describe('Condition over live metrics'),
          keep: rate().default(1).describe('Rate while it holds'),
          weight: z.number().default(0).describe('Which rule wins where several hold'),
          for: duration('0s', { max: '24h' }).describe(
            'How long it stays on after the metrics of its condition have changed back',
          ),
        }),
      )
      .max(RULES_MAX)
      .default([])
      .describe('Rules over live metrics'),
  })
  .prefault({})
export type SamplingOptions = z.output<typeof sampling>
