// The streams that the scanner has met: their fields for the frame header, their rates under the live settings, their counts.
import type { NewStream } from '../../kernel/scanner-judge.js'
import type { Scanner } from '../../kernel/scanner.js'
import type { SamplingOptions } from '../../protocol/config/sampling.js'
import type { StreamFields } from '../../protocol/frame.js'
import { LEVELS, LOG_TYPES } from '../../protocol/levels.js'
import type { Origin } from '../../protocol/messages.js'
import type { ActorContext } from '../../runtime/actor.js'
import { rateOf } from './rates.js'

export interface Streams {
  /** judge asks this once for every new stream. */
  meet(stream: NewStream): number
  /** Header entries for a frame's streams, in the order of their local numbers. */
  fields(ids: readonly number[]): StreamFields[]
  /** An origin's labels changed: the fields of its streams follow. */
  refresh(origin: Origin): void
  /** Applies new settings to every known stream. */
  settings(settings: SamplingOptions): void
  /** Moves the scanner's counts into the metrics. */
  count(): void
  reset(): void
}

interface Known {
  readonly met: NewStream
  fields: StreamFields
}

export function createStreams(
  context: ActorContext,
  scanner: Scanner,
  originOf: (id: number) => Origin | undefined,
  initial: SamplingOptions,
): Streams {
  const known = new Map<number, Known>()
  let settings = initial
  function describe(met: NewStream): StreamFields {
    const origin = originOf(met.contextId)
    const { trusted = {}, fallback, labels } = origin ?? {}
    return {
      service_name: met.service ?? fallback?.service_name ?? 'unknown',
      namespace: trusted.namespace ?? met.namespace ?? 'unknown',
      cluster_id: context.node.clusterId,
      log_level: LEVELS[met.level] ?? 'unknown',
      log_type: LOG_TYPES[met.logType] ?? 'app',
      ...trusted,
      ...(labels === undefined ? {} : { labels }),
    }
  }
  const rate = ({ met, fields }: Known): number =>
    rateOf(settings, { service: fields.service_name, level: met.level, logType: met.logType })
  return {
    meet(met) {
      const stream = { met, fields: describe(met) }
      known.set(met.id, stream)
      return rate(stream)
    },
    fields: (ids) => ids.map((id) => (known.get(id) as Known).fields),
    refresh(origin) {
      for (const stream of known.values())
        if (stream.met.contextId === origin.id) stream.fields = describe(stream.met)
    },
    settings(next) {
      settings = next
      for (const [id, stream] of known) scanner.setRate(id, rate(stream))
    },
    count() {
      scanner.takeCounts(({ id, seen, kept }) => {
        const { met, fields } = known.get(id) as Known
        if (kept > 0) context.metrics.add('records_kept_total', kept, { level: fields.log_level })
        if (kept < seen) context.metrics.add('records_dropped_total', seen - kept, { reason: 'sampled' })
        countUnknown(met, fields, kept)
      })
    },
    reset() {
      known.clear()
      scanner.reset()
    },
  }

  function countUnknown(met: NewStream, fields: StreamFields, kept: number): void {
    if (kept === 0) return
    if (met.level === 0) context.metrics.add('records_unknown_field_total', kept, { field: 'log_level' })
    if (fields.service_name === 'unknown')
      context.metrics.add('records_unknown_field_total', kept, { field: 'service_name' })
    if (fields.namespace === 'unknown')
      context.metrics.add('records_unknown_field_total', kept, { field: 'namespace' })
  }
}
