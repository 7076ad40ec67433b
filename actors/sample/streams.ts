// The streams that the scanner has met: their fields for the frame header, their rates under settings and traffic, their counts.
import type { NewStream } from '../../kernel/scanner-judge.js'
import type { Scanner } from '../../kernel/scanner.js'
import type { StreamFields } from '../../protocol/frame.js'
import { LEVELS, LOG_TYPES } from '../../protocol/levels.js'
import type { Origin } from '../../protocol/messages.js'
import type { ServiceCounts } from '../../protocol/traffic.js'
import type { ActorContext } from '../../runtime/actor.js'
import { type DropReason, dropReason, type Rates, type StreamKey, type Verdict } from './rates.js'
import { createStatusTables } from './status-tables.js'
import { createTally, type ServiceTally } from './tally.js'

export interface Streams {
  /** judge asks this once for every new stream. */
  meet(stream: NewStream): number
  /** Header entries for a frame's streams, in the order of their local numbers. */
  fields(ids: readonly number[]): StreamFields[]
  /** What decides about a record of this stream now, with its status code where it has one. */
  explain(id: number, status: number | undefined): Verdict
  /** An origin's labels changed: the fields of its streams follow, and their rates where they belong to another service now. */
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
  kind: Kind
  fields: StreamFields
  /** What its records that are not kept are counted under. */
  reason: DropReason
}

/** Streams that differ by their origin alone: one verdict is for all of them, unless a boost asks for their pod. */
interface Kind {
  readonly service: ServiceTally
  readonly names: StreamKey
  readonly streams: Set<Known>
}

export function createStreams(
  context: ActorContext,
  scanner: Scanner,
  originOf: (id: number) => Origin | undefined,
): Streams {
  const known = new Map<number, Known>()
  /** Kinds of a service by level and type. */
  const byService = new Map<string, Kind[]>()
  const tally = createTally(context.metrics)
  const tables = createStatusTables(scanner)
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
  function kindOf({ level, logType }: NewStream, fields: StreamFields): Kind {
    const service = tally.of({ namespace: fields.namespace, service: fields.service_name })
    let kinds = byService.get(service.key)
    if (kinds === undefined) {
      kinds = []
      byService.set(service.key, kinds)
    }
    return (kinds[level * LOG_TYPES.length + logType] ??= newKind(service, level, logType))
  }
  /** Sets the rates; the streams whose records are dropped for another reason now come into `changed`. */
  function setKind(kind: Kind, changed: Map<Known, DropReason>): void {
    const verdict = (rates as Rates).of(kind.names)
    const table = tableOf(verdict)
    for (const stream of kind.streams) {
      const own = boostsPod(stream) ? (rates as Rates).of(namesOf(stream)) : verdict
      scanner.setRate(stream.met.id, settle(stream, own, own === verdict ? table : tableOf(own)))
      const reason = dropReason(own)
      if (reason !== stream.reason) changed.set(stream, reason)
    }
  }
  const boostsPod = ({ fields: { pod_name, pod_uid } }: Known): boolean =>
    (rates as Rates).boostsPod(pod_name, pod_uid)
  const tableOf = ({ status }: Verdict): number => (status === undefined ? 0 : tables.numberOf(status))
  /** Gives the stream its table; returns its rate without a status: higher than the verdict's where no table was free. */
  function settle({ met: { id } }: Known, { rate, status }: Verdict, table: number): number {
    tables.give(id, table)
    if (status === undefined || table > 0) return rate
    // Rather too many of this stream's records than one that a rule wants.
    context.metrics.add('sampling_status_tables_full_total', 1)
    return status.reduce((most, each) => Math.max(most, Number.isNaN(each) ? 0 : each), rate)
  }
  function join(stream: Known): number {
    const { kind, met } = stream
    kind.streams.add(stream)
    scanner.setService(met.id, kind.service.slot)
    const verdict = (rates as Rates).of(namesOf(stream))
    stream.reason = dropReason(verdict)
    return settle(stream, verdict, tableOf(verdict))
  }
  function count(): void {
    scanner.takeCounts((counts) => {
      const { id, seen, kept } = counts
      const {
        met,
        fields,
        kind: { service },
        reason,
      } = known.get(id) as Known
      if (kept > 0) context.metrics.add('records_kept_total', kept, { level: fields.log_level })
      if (kept < seen) context.metrics.add('records_dropped_total', seen - kept, { reason })
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
      const stream: Known = { met, fields, kind: kindOf(met, fields), reason: 'sampled_tier' }
      known.set(met.id, stream)
      return join(stream)
    },
    fields: (ids) => ids.map((id) => (known.get(id) as Known).fields),
    explain: (id, status) => (rates as Rates).explain(namesOf(known.get(id) as Known), status),
    refresh(origin) {
      const concerned = [...known.values()].filter(({ met }) => met.contextId === origin.id)
      if (concerned.length === 0) return
      // What was counted until now is the old name's.
      count()
      for (const stream of concerned) {
        stream.fields = describe(stream.met)
        stream.kind.streams.delete(stream)
        stream.kind = kindOf(stream.met, stream.fields)
        scanner.setRate(stream.met.id, join(stream))
      }
    },
    apply(next, services) {
      rates = next
      const changed = services?.map((key) => byService.get(key) ?? []) ?? byService.values()
      // Kinds lie by number, with holes.
      const reasons = new Map<Known, DropReason>()
      for (const kinds of changed) kinds.forEach((kind) => setKind(kind, reasons))
      if (reasons.size === 0) return
      // What was dropped until now had the reasons before.
      count()
      for (const [stream, reason] of reasons) stream.reason = reason
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

function newKind(service: ServiceTally, level: number, logType: number): Kind {
  const { namespace, service: name, key } = service
  return { service, names: { namespace, service: name, key, level, logType }, streams: new Set() }
}

function namesOf({ kind: { names }, fields: { pod_name: pod, pod_uid } }: Known): StreamKey {
  const named = pod === undefined ? names : { ...names, pod }
  return pod_uid === undefined ? named : { ...named, pod_uid }
}
