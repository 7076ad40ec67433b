// A stand-in for Elasticsearch: one process-local HTTP server that speaks the subset of its API that Millrace uses.
import { failure, indexNotFound, json } from './es-answer.js'
import { bulk } from './es-bulk.js'
import type { MappingSource } from './es-mapping.js'
import { readDocument, runCount, runMultiGet, runSearch } from './es-read.js'
import { createStore, type Index, isPattern, type Store, type TemplateBody } from './es-store.js'
import type { Faults } from './faults.js'
import { type Answer, type Request, startHttpStandIn } from './http.js'

export type ElasticsearchStats = {
  requests: number
  bulks: number
  bytes: number
  stored: number
  conflicts: number
  refused: number
  swallowed: number
}

export type ElasticsearchStandInOptions = {
  readonly port?: number
  readonly host?: string
  readonly faults?: Faults
  /** `records` keeps every document; `count` is an acknowledging sink that only counts. */
  readonly store?: 'records' | 'count'
  /** http.max_content_length, 100 MB by default; above it 413. */
  readonly bodyBytesMax?: number
}

export type ElasticsearchStandIn = {
  readonly url: string
  readonly stats: Readonly<ElasticsearchStats>
  /** Sources by id, of one index or of all. */
  documents(index?: string): Map<string, Buffer>
  count(index?: string): number
  setFaults(faults?: Faults): void
  close(): Promise<void>
}

export async function startElasticsearchStandIn(
  options: ElasticsearchStandInOptions = {},
): Promise<ElasticsearchStandIn> {
  const store = createStore()
  const stats: ElasticsearchStats = {
    requests: 0,
    bulks: 0,
    bytes: 0,
    stored: 0,
    conflicts: 0,
    refused: 0,
    swallowed: 0,
  }
  const keep = options.store !== 'count'
  const http = await startHttpStandIn({
    ...options,
    bodyBytesMax: options.bodyBytesMax ?? 100 * 1024 * 1024,
    headers: { 'X-Elastic-Product': 'Elasticsearch' },
    isWrite: (path) => path.endsWith('/_bulk'),
    handle(request) {
      stats.requests++
      stats.bytes += request.body.length
      const parts = request.path
        .split('/')
        .filter((part) => part !== '')
        .map(decodeURIComponent)
      if (parts.at(-1) === '_bulk') {
        stats.bulks++
        return bulk(request, parts.length === 2 ? parts[0] : undefined, store, stats, keep)
      }
      return route(request, parts, store)
    },
  })
  const chosen = (index?: string): Index[] =>
    index === undefined ? [...store.indices.values()] : store.matching(index).found
  return {
    ...http,
    stats,
    documents: (index) =>
      new Map(
        chosen(index).flatMap(({ documents }) =>
          [...documents].map(([id, { source }]) => [id, source] as const),
        ),
      ),
    count: (index) => chosen(index).reduce((sum, { count }) => sum + count, 0),
  }
}

function route(request: Request, parts: readonly string[], store: Store): Answer {
  const [first, second, third] = parts
  if (first === undefined) return json(info)
  if (first === '_cluster' && second === 'health') return json(health(store))
  if (first === '_index_template' && second !== undefined) return template(request, second, store)
  if (first === '_cat' && second === 'indices') return catIndices(third ?? '*', store)
  if (first.startsWith('_')) {
    if (['_search', '_count', '_refresh', '_mget'].includes(first)) return onIndex(request, '*', parts, store)
    return noHandler(request)
  }
  return second === undefined
    ? wholeIndex(request, first, store)
    : onIndex(request, first, parts.slice(1), store)
}

function onIndex(request: Request, name: string, [verb, id]: readonly string[], store: Store): Answer {
  if (verb === '_mget') return runMultiGet(request, name, store)
  const { found, missing } = store.matching(name)
  if (missing !== undefined && request.query.get('ignore_unavailable') !== 'true')
    return indexNotFound(missing)
  const [index] = found
  if (verb === '_refresh')
    return json({ _shards: { total: found.length, successful: found.length, failed: 0 } })
  if (verb === '_count') return runCount(request, found)
  if (verb === '_search') return runSearch(request, found)
  if (verb === '_mapping') return json(Object.fromEntries(found.map((each) => [each.name, { mappings: {} }])))
  if (index !== undefined && id !== undefined && (verb === '_doc' || verb === '_source')) {
    return readDocument(request, index, verb, id)
  }
  return noHandler(request)
}

function wholeIndex(request: Request, name: string, store: Store): Answer {
  const { found, missing } = store.matching(name)
  if (request.method === 'PUT') {
    if (found.length > 0)
      return failure(400, 'resource_already_exists_exception', `index [${name}] already exists`, {
        index: name,
      })
    const body =
      request.body.length > 0 ? (JSON.parse(request.body.toString()) as { mappings?: MappingSource }) : {}
    store.create(name, body.mappings ?? {})
    return json({ acknowledged: true, shards_acknowledged: true, index: name })
  }
  if (request.method === 'DELETE') {
    // action.destructive_requires_name is on by default.
    if (name.split(',').some(isPattern)) {
      return failure(400, 'illegal_argument_exception', 'Wildcard expressions or all indices are not allowed')
    }
    if (missing !== undefined) {
      return request.query.get('ignore_unavailable') === 'true'
        ? json({ acknowledged: true })
        : indexNotFound(missing)
    }
    for (const index of found) store.indices.delete(index.name)
    return json({ acknowledged: true })
  }
  if (missing !== undefined) return indexNotFound(missing)
  return json(
    Object.fromEntries(found.map((index) => [index.name, { aliases: {}, mappings: {}, settings: {} }])),
  )
}

function template(request: Request, name: string, store: Store): Answer {
  const known = store.templates.get(name)
  if (request.method === 'PUT' || request.method === 'POST') {
    store.templates.set(name, JSON.parse(request.body.toString()) as TemplateBody)
    return json({ acknowledged: true })
  }
  if (request.method === 'DELETE') {
    if (!store.templates.delete(name)) {
      return failure(404, 'index_template_missing_exception', `index_template [${name}] missing`)
    }
    return json({ acknowledged: true })
  }
  if (known === undefined) {
    return failure(404, 'resource_not_found_exception', `index template matching [${name}] not found`)
  }
  return json({ index_templates: [{ name, index_template: { composed_of: [], ...known } }] })
}

function catIndices(expression: string, store: Store): Answer {
  const { found, missing } = store.matching(expression)
  if (missing !== undefined) return indexNotFound(missing)
  return json(
    found.map(({ name, count }) => ({
      health: 'green',
      status: 'open',
      index: name,
      'docs.count': String(count),
    })),
  )
}

const noHandler = ({ method, path }: Request): Answer =>
  json({ error: `no handler found for uri [${path}] and method [${method}]` }, null, 400)

const info = {
  name: 'stand-in',
  cluster_name: 'millrace-stand-in',
  version: { number: '8.19.21', build_flavor: 'default', build_type: 'stand-in', lucene_version: '9.12.2' },
  tagline: 'You Know, for Search',
}

const health = (store: Store) => ({
  cluster_name: info.cluster_name,
  status: 'green',
  timed_out: false,
  number_of_nodes: 1,
  number_of_data_nodes: 1,
  active_primary_shards: store.indices.size,
  active_shards: store.indices.size,
  unassigned_shards: 0,
})
