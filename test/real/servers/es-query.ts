// What tests ask Elasticsearch, by its official client: a reader that shares nothing with the writer under test.
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { Client, type estypes } from '@elastic/elasticsearch'

export type EsQuery = estypes.QueryDslQueryContainer

/** A client for these few requests: nothing stays open behind them. It does not repeat what fails. */
export async function withEs<Result>(url: string, ask: (client: Client) => Promise<Result>): Promise<Result> {
  const client = new Client({ node: url, maxRetries: 0, requestTimeout: 60_000 })
  try {
    return await ask(client)
  } finally {
    await client.close()
  }
}

const orMissing = { ignore: [404], meta: true as const }

/** Makes everything written so far visible to searches and counts; a missing index is no error. */
export async function esRefresh(url: string, index: string): Promise<void> {
  await withEs(url, (client) => client.indices.refresh({ index, ignore_unavailable: true }))
}

/** Counts what is visible (see esRefresh); 0 where the index does not exist. `index` may hold wildcards. */
export async function esCount(
  url: string,
  index: string,
  query: EsQuery = { match_all: {} },
): Promise<number> {
  const { statusCode, body } = await withEs(url, (client) => client.count({ index, query }, orMissing))
  return statusCode === 404 ? 0 : body.count
}

/** The document's stored bytes, visible before any refresh; undefined where there is none. */
export async function esSource(url: string, index: string, id: string): Promise<Buffer | undefined> {
  return withEs(url, async (client) => {
    // As a stream, since parsing would lose the bytes.
    const path = `/${index}/_source/${encodeURIComponent(id)}`
    const { statusCode, body } = await client.transport.request<Readable>(
      { method: 'GET', path },
      { ...orMissing, asStream: true },
    )
    const bytes = await buffer(body)
    return statusCode === 404 ? undefined : bytes
  })
}

/** Those of the ids that one index does not hold; realtime. */
export async function esMissing(url: string, index: string, ids: readonly string[]): Promise<string[]> {
  const wanted = { index, ids: [...ids], _source: false, filter_path: 'docs.found' }
  // Where none is found, filter_path leaves nothing.
  const { docs }: Partial<estypes.MgetResponse> = await withEs(url, (client) => client.mget(wanted))
  return ids.filter((_, position) => {
    const doc = docs?.[position]
    return doc === undefined || !('found' in doc) || !doc.found
  })
}

/** Visible documents by batch_id; throws where the aggregation was not exact. */
export async function esBatchCounts(
  url: string,
  index: string,
  batchIds: readonly string[],
): Promise<Map<string, number>> {
  const wanted = {
    index,
    size: 0,
    query: { terms: { batch_id: [...batchIds] } },
    aggs: { batches: { terms: { field: 'batch_id', size: batchIds.length } } },
  }
  type Aggregations = { batches: estypes.AggregationsTermsAggregateBase<{ key: string; doc_count: number }> }
  const { statusCode, body } = await withEs(url, (client) =>
    client.search<unknown, Aggregations>(wanted, orMissing),
  )
  if (statusCode === 404) return new Map()
  const {
    buckets = [],
    sum_other_doc_count: other,
    doc_count_error_upper_bound: error,
  } = body.aggregations?.batches ?? {}
  if (other !== 0 || error !== 0) throw new Error('the aggregation is not exact')
  return new Map(Object.values(buckets).map(({ key, doc_count }) => [key, doc_count]))
}

/** Deletes every index that the pattern matches, by name: Elasticsearch refuses wildcards there. */
export async function esDeleteIndices(url: string, pattern: string): Promise<void> {
  await withEs(url, async (client) => {
    const { statusCode, body } = await client.cat.indices(
      { index: pattern, format: 'json', h: 'index' },
      orMissing,
    )
    if (statusCode === 404) return
    for (const { index } of body) if (index !== undefined) await client.indices.delete({ index })
  })
}
