// The node's metrics: each declared once, counted per thread with prom-client, merged by the supervisor.
import { createRequire } from 'node:module'
import type * as Prom from 'prom-client'
import { type MetricDeclaration, METRICS } from './metric-declarations.js'

// Its four classes only: the whole package also brings node:cluster, an HTTP client and the process's own metrics into every thread.
const load = createRequire(import.meta.url)
const Registry = load('prom-client/lib/registry') as typeof Prom.Registry
const Counter = load('prom-client/lib/counter') as typeof Prom.Counter
const Gauge = load('prom-client/lib/gauge') as typeof Prom.Gauge
const Histogram = load('prom-client/lib/histogram') as typeof Prom.Histogram

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
  const made = new Map<MetricName, Prom.Counter | Prom.Gauge | Prom.Histogram>()
  function metric(name: MetricName): Prom.Counter | Prom.Gauge | Prom.Histogram {
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
      ;(metric(name) as Prom.Counter).inc(labels, by)
    },
    set(name, value, labels = {}) {
      ;(metric(name) as Prom.Gauge).set(labels, value)
    },
    observe(name, value, labels = {}) {
      ;(metric(name) as Prom.Histogram).observe(labels, value)
    },
    snapshot: () => registry.getMetricsAsJSON() as Promise<unknown[]>,
  }
}
