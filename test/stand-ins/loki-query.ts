// The Loki stand-in's reading requests: query, query_range, labels and label values.
import type { Answer, Request } from './http.js'
import { evaluateAt, type LogLine, type Sample, selectLines } from './logql-evaluate.js'
import { type LogQuery, type MetricQuery, parseDuration, parseLogQL } from './logql-parse.js'
import { formatLabels } from './loki-labels.js'
import type { Stream } from './loki-store.js'

export type QueryLimits = { readonly seriesMax: number; readonly entriesMax: number }

export const text = (status: number, body: string): Answer => ({
  status,
  body,
  headers: { 'content-type': 'text/plain; charset=utf-8' },
})

const success = (data: unknown): Answer => ({
  status: 200,
  body: JSON.stringify({ status: 'success', ...(data === undefined ? {} : { data }) }),
  headers: { 'content-type': 'application/json; charset=UTF-8' },
})

const second = 1_000_000_000n

export function runQuery(request: Request, streams: readonly Stream[], limits: QueryLimits): Answer {
  // A form in a POST's body stands for the query string.
  const parameters = request.method === 'POST' ? new URLSearchParams(request.body.toString()) : request.query
  const isRange = request.path.endsWith('/query_range')
  try {
    const query = parseLogQL(parameters.get('query') ?? '')
    if (query.kind === 'log') {
      if (isRange) return logLines(request, parameters, query, streams, limits)
      const reason = 'log queries are not supported as an instant query type'
      return text(400, `${reason}, please change your query to a range query type`)
    }
    return isRange ? matrix(parameters, query, streams, limits) : vector(parameters, query, streams, limits)
  } catch (error) {
    return text(400, (error as Error).message)
  }
}

function vector(
  parameters: URLSearchParams,
  query: MetricQuery,
  streams: readonly Stream[],
  limits: QueryLimits,
): Answer {
  const timeNs = parseTime(parameters.get('time')) ?? nowNs()
  const samples = evaluateAt(streams, query, timeNs)
  checkSeries(samples.length, limits)
  const at = Number(timeNs / 1_000_000n) / 1000
  const result = samples.map(({ labels, value }) => ({ metric: labels, value: [at, String(value)] }))
  return success({ resultType: 'vector', result })
}

function matrix(
  parameters: URLSearchParams,
  query: MetricQuery,
  streams: readonly Stream[],
  limits: QueryLimits,
): Answer {
  const [fromNs, toNs] = timeRange(parameters)
  const step = parameters.get('step')
  const stepNs = step === null ? bigMax(second, ((toNs - fromNs) / 250n / second) * second) : parseStep(step)
  const series = new Map<string, { metric: Sample['labels']; values: [number, string][] }>()
  // Loki moves the steps to multiples of the step.
  for (let at = (fromNs / stepNs) * stepNs; at <= toNs + stepNs - 1n; at += stepNs) {
    for (const { labels, value } of evaluateAt(streams, query, at)) {
      const key = formatLabels(labels)
      const known = series.get(key) ?? { metric: labels, values: [] }
      known.values.push([Number(at / 1_000_000n) / 1000, String(value)])
      series.set(key, known)
    }
  }
  checkSeries(series.size, limits)
  return success({ resultType: 'matrix', result: [...series.values()] })
}

function checkSeries(count: number, { seriesMax }: QueryLimits): void {
  if (count > seriesMax) throw new Error(`maximum number of series (${seriesMax}) reached for a single query`)
}

function logLines(
  request: Request,
  parameters: URLSearchParams,
  query: LogQuery,
  streams: readonly Stream[],
  { entriesMax }: QueryLimits,
): Answer {
  const limit = Number(parameters.get('limit') ?? 100)
  if (limit > entriesMax) {
    const what = 'max entries limit per query exceeded, limit > max_entries_limit_per_query'
    return text(400, `${what} (${limit} > ${entriesMax})`)
  }
  const [fromNs, toNs] = timeRange(parameters)
  const forward = parameters.get('direction')?.toLowerCase() === 'forward'
  const lines = selectLines(streams, query, fromNs, toNs)
  lines.sort(({ entry: a }, { entry: b }) => {
    const order = a.timestampNs < b.timestampNs ? -1 : a.timestampNs > b.timestampNs ? 1 : 0
    return forward ? order : -order
  })
  const categorize = String(request.headers['x-loki-response-encoding-flags'] ?? '').includes(
    'categorize-labels',
  )
  const flags = categorize ? { encodingFlags: ['categorize-labels'] } : {}
  return success({ resultType: 'streams', ...flags, result: byStream(lines.slice(0, limit), categorize) })
}

/** Metadata is a part of the stream's labels in the answer, unless the client asked for it apart. */
function byStream(lines: readonly LogLine[], categorize: boolean) {
  const streams = new Map<string, { stream: LogLine['stream']; values: unknown[] }>()
  for (const { stream, entry } of lines) {
    const labels = categorize ? stream : { ...stream, ...entry.metadata }
    const key = formatLabels(labels)
    const known = streams.get(key) ?? { stream: labels, values: [] }
    const value = [String(entry.timestampNs), entry.line]
    known.values.push(categorize ? [...value, { structuredMetadata: entry.metadata }] : value)
    streams.set(key, known)
  }
  return [...streams.values()]
}

export function labelNames(streams: readonly Stream[]): Answer {
  return success([...new Set(streams.flatMap(({ labels }) => Object.keys(labels)))].sort())
}

export function labelValues(streams: readonly Stream[], name: string): Answer {
  const values = new Set(streams.map(({ labels }) => labels[name]).filter((value) => value !== undefined))
  return success(values.size > 0 ? [...values].sort() : undefined)
}

function timeRange(parameters: URLSearchParams): [bigint, bigint] {
  const toNs = parseTime(parameters.get('end')) ?? nowNs()
  return [parseTime(parameters.get('start')) ?? toNs - 3_600n * second, toNs]
}

/** Nanoseconds, seconds (up to ten digits, or with a fraction) or RFC 3339. */
function parseTime(value: string | null): bigint | undefined {
  if (value === null || value === '') return undefined
  if (/^\d{11,}$/.test(value)) return BigInt(value)
  if (/^\d+(\.\d+)?$/.test(value)) return BigInt(Math.round(Number(value) * 1e6)) * 1_000n
  const ms = Date.parse(value)
  if (Number.isNaN(ms)) throw new Error(`cannot parse "${value}" to a valid timestamp`)
  return BigInt(ms) * 1_000_000n
}

const parseStep = (value: string): bigint =>
  /^\d+(\.\d+)?$/.test(value) ? BigInt(Math.round(Number(value) * 1e9)) : parseDuration(value)

const nowNs = (): bigint => BigInt(Date.now()) * 1_000_000n

const bigMax = (a: bigint, b: bigint): bigint => (a > b ? a : b)
