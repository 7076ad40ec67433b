// Evaluates a parsed LogQL query over the Loki stand-in's streams.
import { formatLabels, type Labels } from './loki-labels.js'
import type { Entry, Stream } from './loki-store.js'
import type { LogQuery, Matcher, MetricQuery, VectorOp } from './logql-parse.js'

export type Sample = { readonly labels: Labels; readonly value: number }
export type LogLine = { readonly stream: Labels; readonly entry: Entry }

/** The entries with from <= time < to, in no order. */
export function selectLines(
  streams: Iterable<Stream>,
  query: LogQuery,
  fromNs: bigint,
  toNs: bigint,
): LogLine[] {
  const lines: LogLine[] = []
  const holds = (matcher: Matcher, labels: Labels) => matcher.test(labels[matcher.name] ?? '')
  for (const { labels, entries } of streams) {
    if (!query.matchers.every((matcher) => holds(matcher, labels))) continue
    for (const [timestampNs, sameTime] of entries) {
      if (timestampNs < fromNs || timestampNs >= toNs) continue
      for (const entry of sameTime) {
        if (!query.lineFilters.every((test) => test(entry.line))) continue
        const either = (matcher: Matcher) =>
          matcher.test(entry.metadata[matcher.name] ?? labels[matcher.name] ?? '')
        if (query.labelFilters.every((choice) => choice.some(either))) lines.push({ stream: labels, entry })
      }
    }
  }
  return lines
}

/** The query's value at one time. A range [R] at T covers (T-R, T]. */
export function evaluateAt(streams: readonly Stream[], query: MetricQuery, timeNs: bigint): Sample[] {
  if (query.kind === 'compare') {
    return evaluateAt(streams, query.inner, timeNs).filter(({ value }) => compares(value, query.op, query.to))
  }
  if (query.kind === 'vector') {
    return aggregate(evaluateAt(streams, query.inner, timeNs), query.op, query.by)
  }
  const lines = selectLines(streams, query.log, timeNs - query.rangeNs + 1n, timeNs + 1n)
  const seconds = Number(query.rangeNs) / 1e9
  const weigh = {
    count_over_time: () => 1,
    bytes_over_time: (entry: Entry) => Buffer.byteLength(entry.line),
    rate: () => 1 / seconds,
  }[query.op]
  const samples = lines.map(({ stream, entry }) => ({
    labels: { ...stream, ...entry.metadata },
    value: weigh(entry),
  }))
  return group(samples, 'sum', (labels) => labels)
}

function aggregate(samples: readonly Sample[], op: VectorOp, by: readonly string[]): Sample[] {
  return group(samples, op, (labels) => {
    const kept: Record<string, string> = {}
    for (const name of by) {
      const value = labels[name]
      if (value !== undefined) kept[name] = value
    }
    return kept
  })
}

function group(samples: readonly Sample[], op: VectorOp, reduce: (labels: Labels) => Labels): Sample[] {
  const groups = new Map<string, { labels: Labels; value: number }>()
  for (const sample of samples) {
    const labels = reduce(sample.labels)
    const key = formatLabels(labels)
    const value = op === 'count' ? 1 : sample.value
    const known = groups.get(key)
    if (known === undefined) groups.set(key, { labels, value })
    else known.value = combine[op](known.value, value)
  }
  return [...groups.values()]
}

const combine: Readonly<Record<VectorOp, (a: number, b: number) => number>> = {
  sum: (a, b) => a + b,
  count: (a, b) => a + b,
  min: Math.min,
  max: Math.max,
}

function compares(value: number, op: string, to: number): boolean {
  if (op === '==') return value === to
  if (op === '!=') return value !== to
  if (op === '>') return value > to
  if (op === '<') return value < to
  return op === '>=' ? value >= to : value <= to
}
