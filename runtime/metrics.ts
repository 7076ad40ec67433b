// The node's metrics: each declared once, counted per thread with prom-client, merged by the supervisor.
import Counter from 'prom-client/lib/counter.js'
import Gauge from 'prom-client/lib/gauge.js'
import Histogram from 'prom-client/lib/histogram.js'
import Registry from 'prom-client/lib/registry.js'
import { type MetricDeclaration, METRICS } from './metric-declarations.js'

export type MetricName = keyof typeof METRICS
type Labels = Readonly<Record<string, string>>

export interface Metrics {
  add(name: MetricName, by: number, labels?: Labels): void
  set(name: MetricName, value: number, labels?: Labels): void
  observe(name: MetricName, value: number, labels?: Labels): void
  /** prom-client's JSON, for the supervisor's merge. */
  snapshot(): Promise<unknown[]>
}

export function createMetrics(): Metrics {
  const registry = new Registry()
  const made = new Map<MetricName, Counter | Gauge | Histogram>()
  function metric(name: MetricName): Counter | Gauge | Histogram {
    const known = made.get(name)
    if (known !== undefined) return known
    const { type, help, labels, ...rest }: MetricDeclaration = METRICS[name]
    const base = { name: `log_pipeline_${name}`, help, labelNames: [...labels], registers: [registry] }
    const fresh =
      type === 'counter'
        ? new Counter(base)
        : type === 'gauge'
          ? new Gauge({ ...base, aggregator: 'sum' })
          : new Histogram({ ...base, ...(rest.buckets ? { buckets: [...rest.buckets] } : {}) })
    made.set(name, fresh)
    return fresh
  }
  return {
    add(name, by, labels = {}) {
      ;(metric(name) as Counter).inc(labels, by)
    },
    set(name, value, labels = {}) {
      ;(metric(name) as Gauge).set(labels, value)
    },
    observe(name, value, labels = {}) {
      ;(metric(name) as Histogram).observe(labels, value)
    },
    snapshot: () => registry.getMetricsAsJSON() as Promise<unknown[]>,
  }
}
