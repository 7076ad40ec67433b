// The streams that the scanner has met: their fields for the frame header, their rates under settings and traffic, their counts.
import type { NewStream } from '../../kernel/scanner-judge.js'
import type { Scanner } from '../../kernel/scanner.js'
import type { StreamFields } from '../../protocol/frame.js'
import { LEVELS, LOG_TYPES } from '../../protocol/levels.js'
import type { Origin } from '../../protocol/messages.js'
import type { ServiceCounts } from '../../protocol/traffic.js'
import type { ActorContext } from '../../runtime/actor.js'
import type { Rates, StreamKey, Verdict } from './rates.js'
import { createStatusTables } from './status-tables.js'
import { createTally, type ServiceTally } from './tally.js'

export interface Streams {
  /** judge asks this once for every new stream. */
  meet(stream: NewStream): number
  /** Header entries for a frame's streams, in the order of their local numbers. */
  fields(ids: readonly number[]): StreamFields[]
  /** What decides about a record of this stream now, with its status code where it has one. */
  explain(id: number, status: number | undefined): Verdict
  /** An origin's labels changed: the fields of its streams follow. */
  refresh(origin: Origin): void
  /** New rates for every known stream, or for those of the services with these keys; before the first batch. */
  apply(rates: Rates, services?: readonly string[]): void
  /** Moves the scanner's counts into the metrics and the tally of services. */
  count(): void
  /** Counts, and takes what the services have had since the last take; after a reset a service may be in it twice. */
  take(): ServiceCounts[]
  reset(): void
}

interface Known {
  readonly met: NewStream
  readonly service: ServiceTally
  fields: StreamFields
}

export function createStreams(
  context: ActorContext,
  scanner: Scanner,
  originOf: (id: number) => Origin | undefined,
): Streams {
  const known = new Map<number, Known>()
  const byService = new Map<string, Known[]>()
  const tally = createTally(context.metrics)
  const tables = createStatusTables(context, scanner)
  let rates: Rates | undefined
  /** Taken at a reset, for the next take. */
  let carried: ServiceCounts[] = []
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
  /** The rate of its records without a status; of the others there may be a table. */
  function rateOf(stream: Known): number {
    const { rate, status } = (rates as Rates).of(keyOf(stream))
    return tables.set(stream.met.id, rate, status)
  }
  const set = (stream: Known): void => scanner.setRate(stream.met.id, rateOf(stream))
  function count(): void {
    scanner.takeCounts((counts) => {
      const { id, seen, kept } = counts
      const { met, fields, service } = known.get(id) as Known
      if (kept > 0) context.metrics.add('records_kept_total', kept, { level: fields.log_level })
      if (kept < seen) context.metrics.add('records_dropped_total', seen - kept, { reason: 'sampled' })
      tally.add(service, met.level, met.logType, counts)
      countUnknown(met, fields, kept)
    })
  }
  function takeTally(): ServiceCounts[] {
    count()
    // What services without a slot of their own have shared there says nothing of any of them.
    scanner.takeWindow(0)
    return tally.take((slot) => scanner.takeWindow(slot))
  }
  return {
    meet(met) {
      const fields = describe(met)
      const service = tally.of({ namespace: fields.namespace, service: fields.service_name })
      const stream = { met, fields, service }
      known.set(met.id, stream)
      scanner.setService(met.id, service.slot)
      const siblings = byService.get(service.key)
      if (siblings === undefined) byService.set(service.key, [stream])
      else siblings.push(stream)
      return rateOf(stream)
    },
    fields: (ids) => ids.map((id) => (known.get(id) as Known).fields),
    explain: (id, status) => (rates as Rates).explain(keyOf(known.get(id) as Known), status),
    refresh(origin) {
      for (const stream of known.values())
        if (stream.met.contextId === origin.id) stream.fields = describe(stream.met)
    },
    apply(next, services) {
      rates = next
      if (services === undefined) for (const stream of known.values()) set(stream)
      else for (const key of services) for (const stream of byService.get(key) ?? []) set(stream)
    },
    count,
    take() {
      const taken = [...carried, ...takeTally()]
      carried = []
      return taken
    },
    reset() {
      carried.push(...takeTally())
      known.clear()
      byService.clear()
      tables.reset()
      tally.reset()
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

function keyOf({ met: { level, logType }, fields }: Known): StreamKey {
  const { service_name: service, namespace, pod_name: pod, pod_uid } = fields
  return {
    service,
    namespace,
    level,
    logType,
    ...(pod === undefined ? {} : { pod }),
    ...(pod_uid === undefined ? {} : { pod_uid }),
  }
}
