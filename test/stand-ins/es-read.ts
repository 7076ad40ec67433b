// Elasticsearch's reading requests: _search, _count, _mget, _doc and _source.
import { failure, indexNotFound, json, type RawJson } from './es-answer.js'
import {
  compareValues,
  filtersAggregation,
  type Hit,
  type Query,
  search,
  type TermsBody,
  termsAggregation,
  unknownQuery,
  valuesOf,
} from './es-search.js'
import type { Index, Store, StoredDocument } from './es-store.js'
import type { Answer, Request } from './http.js'

type SearchBody = {
  readonly query?: Query
  readonly size?: number
  readonly from?: number
  readonly _source?: boolean
  readonly sort?: Sort | readonly Sort[]
  readonly aggs?: Readonly<Record<string, { readonly terms?: TermsBody; readonly filters?: FiltersBody }>>
  readonly aggregations?: SearchBody['aggs']
}
type FiltersBody = { readonly filters: Readonly<Record<string, Query>> }
type Sort = string | Readonly<Record<string, 'asc' | 'desc' | { readonly order?: 'asc' | 'desc' }>>

const shards = (number: number) => ({ total: number, successful: number, skipped: 0, failed: 0 })

export function runSearch(request: Request, indices: readonly Index[]): Answer {
  return withBody<SearchBody>(request, (body) => {
    const { from = 0 } = body
    const size = Number(request.query.get('size') ?? body.size ?? 10)
    const hits = ordered(search(indices, body.query), body.sort)
    const value = indices.every(({ documents }) => documents.size === 0)
      ? countOf(indices, body.query)
      : hits.length
    const withSource = body._source !== false && request.query.get('_source') !== 'false'
    const answer = {
      took: 1,
      timed_out: false,
      _shards: shards(indices.length),
      hits: {
        total: { value, relation: 'eq' },
        max_score: size > 0 && hits.length > 0 ? 1 : null,
        hits: hits.slice(from, from + size).map(({ index, id, document }) => ({
          _index: index.name,
          _id: id,
          _score: 1,
          ...(withSource ? { _source: raw(document) } : {}),
        })),
      },
      ...(indices.length === 0 ? {} : aggregations(hits, body.aggs ?? body.aggregations)),
    }
    return json(answer, request.query.get('filter_path'))
  })
}

function aggregations(hits: readonly Hit[], wanted: SearchBody['aggs']) {
  if (wanted === undefined) return {}
  const entries = Object.entries(wanted).map(([name, { terms, filters }]) => {
    if (filters !== undefined) return [name, filtersAggregation(hits, filters.filters)] as const
    if (terms === undefined)
      throw unknownQuery(`unknown aggregation [${name}]: terms and filters are the kinds`)
    return [name, termsAggregation(hits, terms)] as const
  })
  return { aggregations: Object.fromEntries(entries) }
}

function ordered(hits: Hit[], sort: SearchBody['sort']): Hit[] {
  const keys = [sort ?? []].flat().map((each) => {
    const [field = '', how = 'asc'] =
      typeof each === 'string' ? each.split(':') : (Object.entries(each)[0] ?? [])
    const order = typeof how === 'object' ? (how.order ?? 'asc') : how
    return { field, sign: order === 'desc' ? -1 : 1 }
  })
  if (keys.length === 0) return hits
  return hits.sort((a, b) => {
    for (const { field, sign } of keys) {
      const order = compareValues(valuesOf(a, field)[0] ?? '', valuesOf(b, field)[0] ?? '')
      if (order !== 0) return order * sign
    }
    return 0
  })
}

/** The sink that only counts can still tell how many there are in all. */
const countOf = (indices: readonly Index[], query: Query | undefined): number =>
  query === undefined || 'match_all' in query ? indices.reduce((sum, { count }) => sum + count, 0) : 0

export function runCount(request: Request, indices: readonly Index[]): Answer {
  return withBody<{ query?: Query }>(request, ({ query }) => {
    const all = query === undefined || 'match_all' in query
    const count = all ? countOf(indices, query) : search(indices, query).length
    return json({ count, _shards: shards(indices.length) }, request.query.get('filter_path'))
  })
}

export function runMultiGet(request: Request, defaultIndex: string, store: Store): Answer {
  type Wanted = { readonly _index?: string; readonly _id: string; readonly _source?: boolean }
  return withBody<{ ids?: string[]; docs?: Wanted[] }>(request, (body) => {
    const wanted = body.docs ?? (body.ids ?? []).map((_id): Wanted => ({ _id }))
    const docs = wanted.map(({ _index = defaultIndex, _id, _source }) => {
      const index = store.indices.get(_index)
      const { body: missing } = indexNotFound(_index)
      if (index === undefined)
        return { _index, _id, error: (JSON.parse(String(missing)) as { error: unknown }).error }
      return found(index, _id, _source !== false && request.query.get('_source') !== 'false')
    })
    return json({ docs }, request.query.get('filter_path'))
  })
}

export function readDocument(request: Request, index: Index, verb: '_doc' | '_source', id: string): Answer {
  const document = index.documents.get(id)
  if (verb === '_doc') {
    const answer = found(index, id, request.query.get('_source') !== 'false')
    return json(answer, request.query.get('filter_path'), document === undefined ? 404 : 200)
  }
  if (document === undefined) {
    return failure(404, 'resource_not_found_exception', `Document not found [${index.name}]/[${id}]`)
  }
  return { status: 200, body: document.source, headers: { 'content-type': 'application/json' } }
}

function found(index: Index, id: string, withSource: boolean) {
  const document = index.documents.get(id)
  if (document === undefined) return { _index: index.name, _id: id, found: false }
  return {
    _index: index.name,
    _id: id,
    _version: document.version,
    _seq_no: document.sequence,
    _primary_term: 1,
    found: true,
    ...(withSource ? { _source: raw(document) } : {}),
  }
}

const raw = (document: StoredDocument): RawJson => ({ rawJson: document.source })

function withBody<Body>(request: Request, run: (body: Body) => Answer): Answer {
  let body: Body
  try {
    body = JSON.parse(request.body.length > 0 ? request.body.toString() : '{}') as Body
  } catch (error) {
    return failure(400, 'x_content_parse_exception', (error as Error).message)
  }
  try {
    return run(body)
  } catch (error) {
    if ((error as { code?: unknown }).code === 'unknown_query')
      return failure(400, 'parsing_exception', (error as Error).message)
    throw error
  }
}
