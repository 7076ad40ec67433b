// The options of the audit: when acknowledged frames are checked, how hard, and for how long the journal waits for that.
import { z } from 'zod'
import { duration, size } from './values.js'

export const audit = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Check that Elasticsearch and Loki hold what was written'),
    after: duration('60s').describe('How long after the acknowledgement a frame is checked'),
    again: duration('3h').describe(
      'A second check so long after the first, past the flush of Loki; 0s: none',
    ),
    frames_per_query: z
      .number()
      .int()
      .min(1)
      .max(1000)
      .default(256)
      .describe('Frames that one pair of queries checks'),
    gather: duration('30s').describe('How long a due frame waits for others to share its queries'),
    queries_per_second: z
      .number()
      .positive()
      .max(100)
      .default(2)
      .describe('Bound of the queries of this node to each backend'),
    lease: duration('2m', { min: '5s', max: '1h' }).describe(
      'With NATS: a task that a node took and says nothing of for so long goes to another',
    ),
    compare: z
      .number()
      .int()
      .nonnegative()
      .max(100)
      .default(3)
      .describe('Random records compared byte for byte, per pair of queries'),
    repair: z.boolean().default(true).describe('Send missing records again'),
    hold_bytes: size('1GiB').describe(
      'Segments of the journal kept for frames not yet checked; above it the oldest go, counted',
    ),
    queue_bytes: size('256MiB', { min: '1MiB' }).describe(
      'Bound of the queue on disk; at the bound frames wait in the journal',
    ),
  })
  .prefault({})

export type AuditOptions = z.output<typeof audit>
