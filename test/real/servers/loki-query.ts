// What tests ask Loki: exact counts by batch, and the lines themselves.

import { patiently } from './patiently.js'

export type LokiLine = {
  readonly timestampNs: bigint
  readonly line: string
  readonly labels: Readonly<Record<string, string>>
  readonly metadata: Readonly<Record<string, string>>
}
export type LokiSample = { readonly labels: Readonly<Record<string, string>>; readonly value: number }

/** Nanoseconds since 1970, both ends included. */
export type TimeSpan = { readonly fromNs: bigint; readonly toNs: bigint }

type Response<Result> = { data: { result: Result[] } }
type LineResult = {
  stream: Record<string, string>
  values: [string, string, { structuredMetadata?: Record<string, string> }?][]
}

/**
 * A page must fit into an internal message of Loki, 4 MiB. One that does not is answered with an error, or never: the querier can not
 * hand it over, and nobody is told. So a page that does not come is halved.
 */
const PAGE_ENTRIES_MAX = 1000
const PAGE_ENTRIES_MIN = 10

interface Wait {
  readonly timeoutMs: number
  readonly triesMax: number
}
const PATIENT: Wait = { timeoutMs: 120_000, triesMax: 5 }
const OF_A_PAGE: Wait = { timeoutMs: 30_000, triesMax: 1 }

async function get<Result>(
  url: string,
  path: string,
  parameters: Readonly<Record<string, string>>,
  wait: Wait = PATIENT,
): Promise<Result[]> {
  return (await answerOf<Response<Result>>(url, path, parameters, wait)).data.result
}

async function answerOf<Shape>(
  url: string,
  path: string,
  parameters: Readonly<Record<string, string>>,
  { timeoutMs, triesMax }: Wait = PATIENT,
): Promise<Shape> {
  const { status, body } = await patiently(triesMax, async () => {
    const response = await fetch(`${url}${path}?${String(new URLSearchParams(parameters))}`, {
      headers: { 'X-Loki-Response-Encoding-Flags': 'categorize-labels' },
      signal: AbortSignal.timeout(timeoutMs),
    })
    return { status: response.status, body: await response.text() }
  })
  if (status === 200) return JSON.parse(body) as Shape
  throw new Error(`GET ${path} ${JSON.stringify(parameters)} answered ${status}: ${body.slice(0, 500)}`)
}

/** One metric query at one time. */
export async function lokiInstant(url: string, query: string, timeNs: bigint): Promise<LokiSample[]> {
  type Sample = { metric: Record<string, string>; value: [number, string] }
  const samples = await get<Sample>(url, '/loki/api/v1/query', { query, time: String(timeNs) })
  return samples.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }))
}

/**
 * The number of records by batch_id, each counted once however often it was pushed. A retried batch is counted twice by
 * `sum` for a while; counting the record ids is exact in every case.
 */
export async function lokiCount(
  url: string,
  selector: string,
  { fromNs, toNs }: TimeSpan,
  batchId?: string,
): Promise<Map<string, number>> {
  const filter = batchId === undefined ? '' : ` | batch_id=${JSON.stringify(batchId)}`
  // A range [R] at T covers (T-R, T]. Its finest unit is the millisecond: rounded up, it can begin up to 1 ms too early.
  const range = `${(toNs - fromNs) / 1_000_000n + 1n}ms`
  const query = `count by (batch_id) (sum by (batch_id, rid) (count_over_time(${selector}${filter} [${range}])))`
  const samples = await lokiInstant(url, query, toNs)
  return new Map(samples.map(({ labels, value }) => [labels['batch_id'] ?? '', value]))
}

/** The label sets that a selector finds, each once. */
export async function lokiSeries(
  url: string,
  selector: string,
  { fromNs, toNs }: TimeSpan,
): Promise<Readonly<Record<string, string>>[]> {
  const span = { start: String(fromNs), end: String(toNs + 1n) }
  const answer = await answerOf<{ data: Record<string, string>[] }>(url, '/loki/api/v1/series', {
    'match[]': selector,
    ...span,
  })
  return answer.data
}

/** Every line the selector (with filters) finds, in order of time. Reading one stream is far cheaper than a window of many. */
export async function lokiLines(url: string, query: string, span: TimeSpan): Promise<LokiLine[]> {
  const lines: LokiLine[] = []
  await eachLokiLine(url, query, span, (line) => void lines.push(line))
  return lines
}

/** The same, handed over one by one: a million need not be held. */
export async function eachLokiLine(
  url: string,
  query: string,
  { fromNs, toNs }: TimeSpan,
  take: (line: LokiLine) => void,
): Promise<void> {
  let entries = PAGE_ENTRIES_MAX
  let lastInstant = new Set<string>()
  for (let startNs = fromNs; ; ) {
    let page: LokiLine[]
    try {
      page = await lokiPage(url, query, { fromNs: startNs, toNs }, entries)
    } catch (error) {
      if (
        entries <= PAGE_ENTRIES_MIN ||
        !/ResourceExhausted|larger than max|TimeoutError/.test(String(error))
      )
        throw error
      entries = Math.max(PAGE_ENTRIES_MIN, Math.floor(entries / 2))
      continue
    }
    const last = page.at(-1)
    // Lines of the last page's last instant may be missing: that instant is read again.
    const known = lastInstant
    lastInstant = new Set()
    let fresh = 0
    for (const line of page) {
      const isFirst = line.timestampNs === startNs
      const isLast = line.timestampNs === last?.timestampNs
      const key = isFirst || isLast ? JSON.stringify([line.line, line.labels, line.metadata]) : ''
      if (isLast) lastInstant.add(key)
      if (isFirst && known.has(key)) continue
      fresh++
      take(line)
    }
    if (page.length < entries || last === undefined) return
    if (fresh === 0) throw new Error(`more than ${entries} lines at ${last.timestampNs}`)
    startNs = last.timestampNs
  }
}

async function lokiPage(
  url: string,
  query: string,
  { fromNs, toNs }: TimeSpan,
  limit: number,
): Promise<LokiLine[]> {
  const asked = {
    query,
    start: String(fromNs),
    end: String(toNs + 1n),
    limit: String(limit),
    direction: 'forward',
  }
  const wait = limit > PAGE_ENTRIES_MIN ? OF_A_PAGE : PATIENT
  const result = await get<LineResult>(url, '/loki/api/v1/query_range', asked, wait)
  const lines = result.flatMap(({ stream, values }) =>
    values.map(([timestamp, line, extra]) => ({
      timestampNs: BigInt(timestamp),
      line,
      labels: stream,
      metadata: extra?.structuredMetadata ?? {},
    })),
  )
  return lines.sort((a, b) => (a.timestampNs < b.timestampNs ? -1 : a.timestampNs > b.timestampNs ? 1 : 0))
}
