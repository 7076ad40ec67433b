// What the streams of each service have counted: for the actor `traffic` once a second, and as metrics with a bounded number of names.
import { SERVICE_SLOTS, type ServiceWindow } from '../../kernel/scanner-fields.js'
import type { StreamCounts } from '../../kernel/scanner-judge.js'
import { LEVELS, LOG_TYPES } from '../../protocol/levels.js'
import type { ServiceCounts, ServiceName } from '../../protocol/traffic.js'
import { serviceKey } from '../../protocol/traffic.js'
import type { Metrics } from '../../runtime/metrics.js'

export interface ServiceTally extends ServiceName {
  readonly key: string
  /** Its number in the kernel, which counts statuses and latencies for it; 0: it has none. */
  readonly slot: number
}

export interface Tally {
  of(name: ServiceName): ServiceTally
  add(of: ServiceTally, level: number, logType: number, counts: StreamCounts): void
  /** Everything since the last take, of services with records. */
  take(windowOf: (slot: number) => ServiceWindow): ServiceCounts[]
  /** Forgets all services: take before. */
  reset(): void
}

/** Services with metrics of their own, first come; the metrics of all others are named `other`. */
const NAMED_MAX = 64
const OTHER: ServiceName = { namespace: 'other', service: 'other' }
const APP = LOG_TYPES.indexOf('app')
const INFO = LEVELS.indexOf('INFO')
const ERROR = LEVELS.indexOf('ERROR')

interface Entry extends ServiceTally {
  readonly labels: ServiceName
  readonly byLevel: Map<number, Counted>
  seen: number
  kept: number
  info: number
  errors: number
}
interface Counted {
  seen: number
  kept: number
  seenBytes: number
  keptBytes: number
}

export function createTally(metrics: Metrics): Tally {
  const entries = new Map<string, Entry>()
  /** Outlives a reset: a counter's labels stay for the life of the thread. */
  const named = new Set<string>()
  let nextSlot = 1
  function labelsOf(name: ServiceName, key: string): ServiceName {
    if (!named.has(key) && named.size >= NAMED_MAX) return OTHER
    named.add(key)
    return { namespace: name.namespace, service: name.service }
  }
  return {
    of(name) {
      const key = serviceKey(name)
      const known = entries.get(key)
      if (known !== undefined) return known
      const { namespace, service } = name
      const slot = nextSlot < SERVICE_SLOTS ? nextSlot++ : 0
      const counts = { seen: 0, kept: 0, info: 0, errors: 0, byLevel: new Map<number, Counted>() }
      const entry: Entry = { namespace, service, key, slot, labels: labelsOf(name, key), ...counts }
      entries.set(key, entry)
      return entry
    },
    add(of, level, logType, { seen, kept, seenBytes, keptBytes }) {
      const entry = of as Entry
      const counted = entry.byLevel.get(level)
      if (counted === undefined) entry.byLevel.set(level, { seen, kept, seenBytes, keptBytes })
      else {
        counted.seen += seen
        counted.kept += kept
        counted.seenBytes += seenBytes
        counted.keptBytes += keptBytes
      }
      if (logType !== APP) return
      entry.seen += seen
      entry.kept += kept
      if (level === INFO || level === 0) entry.info += seen
      if (level >= ERROR) entry.errors += seen
    },
    take(windowOf) {
      const services: ServiceCounts[] = []
      for (const entry of entries.values()) {
        tell(metrics, entry)
        const { namespace, service, slot, seen, kept, info } = entry
        if (seen === 0) continue
        const { statusErrors, latency } = slot === 0 ? NO_WINDOW : windowOf(slot)
        const errors = Math.min(seen, entry.errors + statusErrors)
        const counts = { namespace, service, seen, kept, info, errors }
        services.push(latency.length === 0 ? counts : { ...counts, latency })
        entry.seen = entry.kept = entry.info = entry.errors = 0
      }
      return services
    },
    reset() {
      entries.clear()
      nextSlot = 1
    },
  }
}

const NO_WINDOW: ServiceWindow = { statusErrors: 0, latency: [] }

function tell(metrics: Metrics, { byLevel, labels: { namespace, service } }: Entry): void {
  for (const [at, { seen, kept, seenBytes, keptBytes }] of byLevel) {
    const labels = { namespace, service, level: LEVELS[at] ?? 'unknown' }
    metrics.add('sampling_seen_total', seen, labels)
    metrics.add('sampling_kept_total', kept, labels)
    metrics.add('sampling_seen_bytes_total', seenBytes, labels)
    metrics.add('sampling_kept_bytes_total', keptBytes, labels)
  }
  byLevel.clear()
}
