// What a file of tests may hold: each test's lines, where they come from, what goes on around them, and what is expected.
import { z } from 'zod'
import { LEVELS, LOG_TYPES } from '../../protocol/levels.js'
import { parseDurationMs } from '../../protocol/config/units.js'

const DURATION = 'expected a duration such as 200ms, 1s or 5m'
const SHARE = 'expected a share from 0 to 1'
const WHY = 'expected audit, metric, tier, debug_service, info_fixed, info_live, boost or rule:NAME'
const WHYS = /^(?:audit|metric|tier|debug_service|info_fixed|info_live|boost|rule:.+)$/

const name = () => z.string().min(1)
const share = () => z.number({ error: SHARE }).min(0, SHARE).max(1, SHARE)
/** In ms; a bare number is ms. */
const durationMs = () =>
  z.union([z.number().nonnegative(), z.string()], { error: DURATION }).transform((value, context) => {
    const ms = typeof value === 'number' ? value : parseDurationMs(value)
    if (ms !== undefined) return ms
    context.addIssue({ code: 'custom', message: DURATION, input: value })
    return z.NEVER
  })

const figures = {
  error_rate: share().optional(),
  p50: durationMs().optional(),
  p90: durationMs().optional(),
  p99: durationMs().optional(),
}

const trafficOf = z.strictObject({
  /** Info records per second of the service, of all nodes. */
  qps: z.number().nonnegative().optional(),
  ...figures,
  /** What the window showed some time before: for rules with `for`. */
  before: z.strictObject({ ago: durationMs(), ...figures }).optional(),
})

const source = z.strictObject({
  /** A configured source. */
  name: name().optional(),
  kind: z.enum(['kubernetes', 'file', 'http', 'stdin']).optional(),
  namespace: name().optional(),
  pod: name().optional(),
  pod_uid: name().optional(),
  container: name().optional(),
  service: name().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  log_type: z.enum(LOG_TYPES).optional(),
  log_level: z.enum(LEVELS.filter((level) => level !== 'unknown')).optional(),
  format: z.enum(['auto', 'json', 'logfmt', 'klog', 'text', 'cri']).optional(),
})

const match = z
  .strictObject({
    namespace: name().optional(),
    pod: name().optional(),
    pod_uid: name().optional(),
    service: name().optional(),
  })
  .refine(
    (wanted) => Object.values(wanted).some((value) => value !== undefined),
    'expected at least one of namespace, pod, pod_uid, service',
  )

const expectation = z.strictObject({
  kept: z.boolean().optional(),
  why: z.string().regex(WHYS, WHY).optional(),
  rate: share().optional(),
  /** These are in the record; maps within are compared the same way. */
  fields: z.record(z.string(), z.unknown()).optional(),
  /** The whole record. */
  record: z.record(z.string(), z.unknown()).optional(),
  /** These are not in it. */
  without: z.array(name()).optional(),
})

const LINE = 'expected one line; each line is an element of its own, or one of a text (input: |)'
const TIME = 'expected a time such as 2026-11-23T10:00:00Z'

export const testFileSchema = z.strictObject({
  tests: z
    .array(
      z.strictObject({
        name: name(),
        source: source.optional(),
        at: z
          .string({ error: TIME })
          .refine((text) => /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text)), TIME)
          .default('2026-01-01T00:00:00Z'),
        /** By `service`, `namespace/service`, or `*` for all others. */
        traffic: z.record(z.string(), trafficOf).default({}),
        boosts: z.array(match).max(256).default([]),
        input: z.array(z.string().regex(/^[^\n]*$/, LINE)).min(1),
        /** One for each record, or the only one for all of them. */
        expect: z.array(expectation).min(1),
      }),
    )
    .min(1),
})

export type TestCase = z.output<typeof testFileSchema>['tests'][number]
export type TrafficOf = z.output<typeof trafficOf>
export type TestSource = z.output<typeof source>
export type Expectation = z.output<typeof expectation>
