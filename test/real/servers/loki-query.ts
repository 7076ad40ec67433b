// What tests ask Loki: exact counts by batch, and the lines themselves.

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

/** More would exceed the 4 MiB of Loki's internal messages with long lines. */
const pageEntries = 1000

async function get<Result>(
  url: string,
  path: string,
  parameters: Readonly<Record<string, string>>,
): Promise<Result[]> {
  const response = await fetch(`${url}${path}?${String(new URLSearchParams(parameters))}`, {
    headers: { 'X-Loki-Response-Encoding-Flags': 'categorize-labels' },
    signal: AbortSignal.timeout(120_000),
  })
  const body = await response.text()
  if (response.status === 200) return (JSON.parse(body) as Response<Result>).data.result
  throw new Error(`GET ${path} ${parameters['query']} answered ${response.status}: ${body.slice(0, 500)}`)
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

/** Every line the selector (with filters) finds, in order of time. */
export async function lokiLines(url: string, query: string, { fromNs, toNs }: TimeSpan): Promise<LokiLine[]> {
  const lines: LokiLine[] = []
  const seen = new Set<string>()
  for (let startNs = fromNs; ; ) {
    const page = await lokiPage(url, query, startNs, toNs)
    const fresh = page.filter((line) => {
      const key = JSON.stringify([String(line.timestampNs), line.line, line.labels, line.metadata])
      return seen.has(key) ? false : seen.add(key)
    })
    lines.push(...fresh)
    const last = page.at(-1)
    if (page.length < pageEntries || last === undefined) return lines
    // Lines of the last page's last instant may be missing: read that instant again.
    if (fresh.length === 0) throw new Error(`more than ${pageEntries} lines at ${last.timestampNs}`)
    startNs = last.timestampNs
  }
}

async function lokiPage(url: string, query: string, startNs: bigint, toNs: bigint): Promise<LokiLine[]> {
  const result = await get<LineResult>(url, '/loki/api/v1/query_range', {
    query,
    start: String(startNs),
    end: String(toNs + 1n),
    limit: String(pageEntries),
    direction: 'forward',
  })
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
