// Elasticsearch's queries and aggregations, as far as Millrace and its tests use them.
import { resolveField } from './es-mapping.js'
import type { Index, StoredDocument } from './es-store.js'

export type Query = { readonly [kind: string]: unknown }
export type Hit = { readonly index: Index; readonly id: string; readonly document: StoredDocument }
type Test = (hit: Hit) => boolean

/** Thrown for a query the stand-in does not know; its message says which. */
export type UnknownQuery = Error & { readonly code: 'unknown_query' }
export const unknownQuery = (message: string): UnknownQuery =>
  Object.assign(new Error(message), { code: 'unknown_query' as const })

export function search(indices: readonly Index[], query: Query | undefined): Hit[] {
  const test = compile(query ?? { match_all: {} })
  const hits: Hit[] = []
  for (const index of indices) {
    for (const [id, document] of index.documents) {
      const hit = { index, id, document }
      if (test(hit)) hits.push(hit)
    }
  }
  return hits
}

function compile(query: Query): Test {
  const [kind = '', ...others] = Object.keys(query)
  const compiler = compilers[kind]
  if (compiler === undefined || others.length > 0)
    throw unknownQuery(`unknown query [${Object.keys(query).join()}]`)
  return compiler(query[kind])
}

const compilers: Readonly<Record<string, (body: unknown) => Test>> = {
  match_all: () => () => true,
  match_none: () => () => false,
  ids: (body) => compile({ terms: { _id: (body as { values: string[] }).values } }),
  exists: (body) => (hit) => valuesOf(hit, (body as { field: string }).field).length > 0,
  term: (body) => {
    const [field, value] = onlyEntry(body)
    return compile({ terms: { [field]: [isObject(value) ? value['value'] : value] } })
  },
  terms: (body) => {
    const [field, list] = onlyEntry(body)
    const wanted = new Set((list as unknown[]).map(String))
    return (hit) => valuesOf(hit, field).some((value) => wanted.has(value))
  },
  match: (body) => {
    const [field, value] = onlyEntry(body)
    const wanted = tokens(String(isObject(value) ? value['query'] : value))
    return (hit) => {
      const present = new Set(valuesOf(hit, field).flatMap(tokens))
      return wanted.some((token) => present.has(token))
    }
  },
  prefix: (body) => {
    const [field, value] = onlyEntry(body)
    const prefix = String(isObject(value) ? value['value'] : value)
    return (hit) => valuesOf(hit, field).some((present) => present.startsWith(prefix))
  },
  range: (body) => {
    const [field, bounds] = onlyEntry(body)
    const tests = Object.entries(bounds as Record<string, string | number>).filter(([name]) =>
      /^[gl]te?$/.test(name),
    )
    return (hit) =>
      valuesOf(hit, field).some((value) =>
        tests.every(([name, bound]) => {
          const order = compareValues(value, String(bound))
          return name.startsWith('g')
            ? order > 0 || (name === 'gte' && order === 0)
            : order < 0 || (name === 'lte' && order === 0)
        }),
      )
  },
  bool: (body) => {
    const clauses = body as Readonly<Record<string, Query | readonly Query[]>>
    const list = (name: string) => [clauses[name] ?? []].flat().map((query) => compile(query as Query))
    const all = [...list('must'), ...list('filter')]
    const none = list('must_not')
    const some = list('should')
    const needsOne = some.length > 0 && all.length === 0
    return (hit) =>
      all.every((test) => test(hit)) &&
      !none.some((test) => test(hit)) &&
      (!needsOne || some.some((test) => test(hit)))
  },
}

/** Numbers and dates by value, the rest as text. */
export function compareValues(a: string, b: string): number {
  const [left, right] = [comparable(a), comparable(b)]
  if (!Number.isNaN(left) && !Number.isNaN(right) && left !== right) return left - right
  return a < b ? -1 : a > b ? 1 : 0
}

const comparable = (value: string): number =>
  /^\d{4}-\d\d-\d\d/.test(value) ? Date.parse(value) : Number(value)

export type TermsBody = { readonly field: string; readonly size?: number }

/** A bucket a named filter. */
export function filtersAggregation(hits: readonly Hit[], filters: Readonly<Record<string, Query>>) {
  const buckets = Object.entries(filters).map(([name, query]) => {
    const test = compile(query)
    return [name, { doc_count: hits.filter(test).length }] as const
  })
  return { buckets: Object.fromEntries(buckets) }
}

/** Buckets by count, then by key. `sum_other_doc_count` counts what did not get a bucket. */
export function termsAggregation(hits: readonly Hit[], { field, size = 10 }: TermsBody) {
  for (const { index } of hits) refuseText(index, field)
  const counts = new Map<string, number>()
  for (const hit of hits)
    for (const value of new Set(valuesOf(hit, field))) counts.set(value, (counts.get(value) ?? 0) + 1)
  const ordered = [...counts].sort(([keyA, a], [keyB, b]) => b - a || (keyA < keyB ? -1 : 1))
  return {
    doc_count_error_upper_bound: 0,
    sum_other_doc_count: ordered.slice(size).reduce((sum, [, count]) => sum + count, 0),
    buckets: ordered.slice(0, size).map(([key, doc_count]) => ({ key, doc_count })),
  }
}

/** A text field has no values to group or sort by: what a template that was not applied leads to. */
export function refuseText(index: Index, field: string): void {
  if (resolveField(index.mapping, field)?.field.type !== 'text') return
  throw unknownQuery(`Fielddata is disabled on [${field}] in [${index.name}]: use a keyword field`)
}

/** The indexed values of a field; none where the mapping does not have it, as `dynamic: false` leaves it unsearchable. */
export function valuesOf({ index, id, document }: Hit, field: string): readonly string[] {
  if (field === '_id') return [id]
  if (field === '_index') return [index.name]
  const known = document.values.get(field)
  if (known !== undefined) return known
  const resolved = resolveField(index.mapping, field)
  const values: string[] = []
  if (resolved !== undefined) {
    collect(JSON.parse(document.source.toString()), resolved.path.split('.'), values)
    if (resolved.field.type === 'text') values.push(...values.splice(0).flatMap(tokens))
  }
  const { ignoreAbove } = resolved?.field ?? {}
  const indexed = ignoreAbove === undefined ? values : values.filter((value) => value.length <= ignoreAbove)
  document.values.set(field, indexed)
  return indexed
}

/** A path may be written nested, as one dotted key, or as a mixture. */
function collect(value: unknown, parts: readonly string[], into: string[]): void {
  if (Array.isArray(value)) for (const item of value) collect(item, parts, into)
  else if (parts.length === 0) {
    if (typeof value === 'string') into.push(value)
    else if (value !== null && value !== undefined && !isObject(value)) into.push(JSON.stringify(value))
  } else if (isObject(value)) {
    for (let take = parts.length; take > 0; take--) {
      const inner = value[parts.slice(0, take).join('.')]
      if (inner !== undefined) collect(inner, parts.slice(take), into)
    }
  }
}

const tokens = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? []

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function onlyEntry(body: unknown): [string, unknown] {
  const [entry, ...more] = isObject(body) ? Object.entries(body) : []
  if (entry === undefined || more.length > 0) throw unknownQuery('a query on one field is wanted')
  return entry
}
