// Merges the metrics of all threads: one Prometheus text, and single values for the status page.
import type { MetricObjectWithValues, MetricValue } from 'prom-client'
import AggregatorRegistry from 'prom-client/lib/cluster.js'

/** A histogram's series carry their own names (`…_bucket`, `…_sum`, `…_count`). */
type Value = MetricValue<string> & { readonly metricName?: string }
type Metric = MetricObjectWithValues<Value>
type Snapshot = readonly Metric[]
type Labels = Readonly<Record<string, string>>

export interface MetricsMerge {
  /** The newest snapshot of a thread (prom-client's JSON, from `Metrics.snapshot`). */
  update(thread: string, snapshot: readonly unknown[]): void
  /** A thread is gone: its counters and histograms stay in the sums, its gauges go. Call it before its successor's first update. */
  retire(thread: string): void
  /** Prometheus text format 0.0.4. */
  text(): Promise<string>
  /** Sum over all series of a metric whose labels include these; 0 when there is none. The prefix `log_pipeline_` may be left out. */
  value(name: string, labels?: Labels): number
  /** Sums of a metric by the values of one label. */
  byLabel(name: string, label: string): Record<string, number>
}

const PREFIX = 'log_pipeline_'

export function createMetricsMerge(): MetricsMerge {
  const threads = new Map<string, Snapshot>()
  // What gone threads counted, already summed: it does not grow with the number of restarts.
  let retired: Snapshot = []
  function metricValues(name: string): Value[] {
    const full = name.startsWith(PREFIX) ? name : `${PREFIX}${name}`
    const found = [retired, ...threads.values()].flatMap((snapshot) =>
      snapshot.filter((metric) => metric.name === full),
    )
    return found.flatMap((metric) => metric.values)
  }
  return {
    update: (thread, snapshot) => void threads.set(thread, snapshot as Snapshot),
    retire(thread) {
      const last = threads.get(thread)
      threads.delete(thread)
      if (last === undefined) return
      retired = sumUp([retired, last.filter((metric) => String(metric.type) !== 'gauge')])
    },
    text: () =>
      AggregatorRegistry.aggregate([retired, ...threads.values()].map((snapshot) => [...snapshot])).metrics(),
    value(name, labels = {}) {
      const wanted = Object.entries(labels)
      return metricValues(name)
        .filter((value) => wanted.every(([label, text]) => value.labels[label] === text))
        .reduce((sum, { value }) => sum + value, 0)
    },
    byLabel(name, label) {
      const sums: Record<string, number> = {}
      for (const { labels, value } of metricValues(name)) {
        const text = String(labels[label] ?? '')
        sums[text] = (sums[text] ?? 0) + value
      }
      return sums
    },
  }
}

function sumUp(snapshots: readonly Snapshot[]): Snapshot {
  const metrics = new Map<string, { metric: Metric; values: Map<string, Value> }>()
  for (const metric of snapshots.flat()) {
    const entry = metrics.get(metric.name) ?? { metric, values: new Map<string, Value>() }
    metrics.set(metric.name, entry)
    for (const value of metric.values) {
      const key = JSON.stringify([
        value.metricName,
        Object.entries(value.labels).toSorted(([a], [b]) => (a < b ? -1 : 1)),
      ])
      entry.values.set(key, { ...value, value: (entry.values.get(key)?.value ?? 0) + value.value })
    }
  }
  return [...metrics.values()].map(({ metric, values }) => ({ ...metric, values: [...values.values()] }))
}
