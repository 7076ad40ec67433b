// What tests ask Elasticsearch: how many documents, which bytes, which are missing.

export type EsQuery = Readonly<Record<string, unknown>>

async function request(
  url: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; bytes: Buffer }> {
  const response = await fetch(`${url}${path}`, {
    method,
    signal: AbortSignal.timeout(60_000),
    ...(body === undefined
      ? {}
      : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  const bytes = Buffer.from(await response.arrayBuffer())
  if (response.ok || response.status === 404) return { status: response.status, bytes }
  throw new Error(`${method} ${path} answered ${response.status}: ${bytes.toString().slice(0, 500)}`)
}

const parse = <Shape>(bytes: Buffer): Shape => JSON.parse(bytes.toString()) as Shape

/** Makes everything written so far visible to searches and counts; a missing index is no error. */
export async function esRefresh(url: string, index: string): Promise<void> {
  await request(url, 'POST', `/${index}/_refresh?ignore_unavailable=true`)
}

/** Counts what is visible (see esRefresh); 0 where the index does not exist. `index` may hold wildcards. */
export async function esCount(
  url: string,
  index: string,
  query: EsQuery = { match_all: {} },
): Promise<number> {
  const { status, bytes } = await request(url, 'POST', `/${index}/_count`, { query })
  return status === 404 ? 0 : parse<{ count: number }>(bytes).count
}

/** The document's stored bytes, visible before any refresh; undefined where there is none. */
export async function esSource(url: string, index: string, id: string): Promise<Buffer | undefined> {
  const { status, bytes } = await request(url, 'GET', `/${index}/_source/${encodeURIComponent(id)}`)
  return status === 404 ? undefined : bytes
}

/** Those of the ids that one index does not hold; realtime. */
export async function esMissing(url: string, index: string, ids: readonly string[]): Promise<string[]> {
  const { bytes } = await request(url, 'POST', `/${index}/_mget?_source=false&filter_path=docs.found`, {
    ids,
  })
  const { docs = [] } = parse<{ docs?: { found?: boolean }[] }>(bytes)
  return ids.filter((_, position) => docs[position]?.found !== true)
}

/** Visible documents by batch_id; throws where the aggregation was not exact. */
export async function esBatchCounts(
  url: string,
  index: string,
  batchIds: readonly string[],
): Promise<Map<string, number>> {
  type Terms = {
    sum_other_doc_count: number
    doc_count_error_upper_bound: number
    buckets: { key: string; doc_count: number }[]
  }
  const { status, bytes } = await request(url, 'POST', `/${index}/_search`, {
    size: 0,
    query: { terms: { batch_id: batchIds } },
    aggs: { batches: { terms: { field: 'batch_id', size: batchIds.length } } },
  })
  if (status === 404) return new Map()
  const { batches } = parse<{ aggregations: { batches: Terms } }>(bytes).aggregations
  if (batches.sum_other_doc_count + batches.doc_count_error_upper_bound > 0)
    throw new Error('the aggregation is not exact')
  return new Map(batches.buckets.map(({ key, doc_count }) => [key, doc_count]))
}

/** Deletes every index that the pattern matches, by name: Elasticsearch refuses wildcards there. */
export async function esDeleteIndices(url: string, pattern: string): Promise<void> {
  const { status, bytes } = await request(url, 'GET', `/_cat/indices/${pattern}?format=json&h=index`)
  if (status === 404) return
  for (const { index } of parse<{ index: string }[]>(bytes)) await request(url, 'DELETE', `/${index}`)
}
