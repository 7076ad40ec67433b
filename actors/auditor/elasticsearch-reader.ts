// What Elasticsearch holds of a frame: one terms aggregation on batch_id for hundreds of frames, ids where they differ.
import type { AuditTask } from '../../protocol/audit.js'
import type { ElasticsearchOptions } from '../../protocol/config/backends.js'
import { createIndexNames } from '../writers/elasticsearch/index-name.js'
import { type Exchange, noAnswer } from './exchange.js'
import { type BackendReader, type Held, type HeldRecord, numbersOf, spansOf } from './reader.js'
import { canonicalOf, sourcesOf } from './sources.js'

interface Shards {
  readonly failed: number
}
interface Searched {
  readonly timed_out: boolean
  readonly _shards: Shards
}
interface Terms {
  readonly sum_other_doc_count: number
  readonly doc_count_error_upper_bound: number
  readonly buckets: readonly { readonly key: string; readonly doc_count: number }[]
}

/** More names than this are asked for by the pattern. */
const INDICES_MAX = 12
/** Ids of one search; with copies there are more hits, and max_result_window is 10,000. */
const IDS_PER_QUERY = 4000
/** Records of one search: they may be long. */
const RECORDS_PER_QUERY = 200
const HITS_MAX = 10_000
const RECORDS_TOGETHER = 9000

export function createElasticsearchReader(
  name: string,
  options: ElasticsearchOptions,
  exchange: Exchange,
): BackendReader {
  const names = createIndexNames(options.index)

  /** The indices of the frames' hours or days: those a writer has put them into. */
  function indicesOf(tasks: readonly AuditTask[]): string {
    const found = new Set<string>()
    for (const { fromMs, toMs } of tasks.flatMap(spansOf)) {
      const step = Math.min(names.periodMs, Math.max(1, toMs - fromMs))
      for (let at = fromMs; at <= toMs && found.size <= INDICES_MAX; at += step) found.add(names.at(at))
      found.add(names.at(toMs))
    }
    return encodeURIComponent(found.size > INDICES_MAX ? names.wildcard : [...found].join(','))
  }

  const searchPath = (tasks: readonly AuditTask[], more: string): string =>
    `/${indicesOf(tasks)}/_search?ignore_unavailable=true&allow_no_indices=true${more}`

  async function search<T extends Searched>(path: string, body: object): Promise<T | undefined> {
    const bytes = await exchange.ask('POST', path, JSON.stringify(body))
    return bytes === undefined ? undefined : whole<T>(bytes)
  }

  /** A part of the shards is no answer: what lies in the others would look lost. */
  function whole<T extends Searched>(bytes: Buffer): T {
    const answer = JSON.parse(bytes.toString()) as T
    if (answer.timed_out || answer._shards.failed > 0)
      throw noAnswer(name, 'has answered a search for a part of its shards only')
    return answer
  }

  const idsOf = (task: AuditTask, numbers: readonly number[]): string[] =>
    numbers.map((n) => `${task.id}-${n}`)

  /** Ids of all documents of these frames; a document in two indices comes twice. */
  async function idsIn(group: readonly AuditTask[]): Promise<string[]> {
    type Found = Searched & { hits?: { hits?: { _id: string }[] } }
    const path = searchPath(group, '&filter_path=timed_out,_shards.failed,hits.hits._id')
    const of = async (query: object): Promise<string[]> => {
      const answer = await search<Found>(path, { size: HITS_MAX, _source: false, query })
      return (answer?.hits?.hits ?? []).map(({ _id }) => _id)
    }
    const together = await of({ terms: { batch_id: group.map(({ id }) => id) } })
    if (together.length < HITS_MAX) return together
    const ids: string[] = []
    for (const task of group) {
      const all = Array.from({ length: task.count }, (_, n) => n)
      for (let at = 0; at < all.length; at += IDS_PER_QUERY)
        ids.push(...(await of({ ids: { values: idsOf(task, all.slice(at, at + IDS_PER_QUERY)) } })))
    }
    return ids
  }

  return {
    name,
    type: 'elasticsearch',
    async counts(tasks) {
      const ids = tasks.map(({ id }) => id)
      const answer = await search<Searched & { aggregations?: { batches: Terms } }>(searchPath(tasks, ''), {
        size: 0,
        track_total_hits: false,
        query: { terms: { batch_id: ids } },
        aggs: { batches: { terms: { field: 'batch_id', size: ids.length } } },
      })
      const batches = answer?.aggregations?.batches
      if (batches === undefined) return new Map()
      // Exact only so (docs: "Terms aggregation", document counts are approximate).
      if (batches.sum_other_doc_count + batches.doc_count_error_upper_bound > 0)
        throw noAnswer(name, 'has counted only approximately')
      return new Map(batches.buckets.map(({ key, doc_count }) => [key, doc_count]))
    },
    async refresh(tasks) {
      await exchange.ask(
        'POST',
        `/${indicesOf(tasks)}/_refresh?ignore_unavailable=true&allow_no_indices=true`,
      )
    },
    async held(tasks) {
      const held = new Map<string, Held>()
      for (const group of groupsOf(tasks)) {
        const ids = await idsIn(group)
        const numbers = numbersOf(group, ids)
        const hits = new Map<string, number>()
        for (const id of ids) {
          const frame = id.slice(0, id.lastIndexOf('-'))
          hits.set(frame, (hits.get(frame) ?? 0) + 1)
        }
        for (const { id } of group) {
          const distinct = numbers.get(id) ?? new Set<number>()
          held.set(id, { numbers: distinct, copies: (hits.get(id) ?? 0) - distinct.size })
        }
      }
      return held
    },
    async records(task, numbers) {
      const found = new Map<number, HeldRecord>()
      for (let at = 0; at < numbers.length; at += RECORDS_PER_QUERY) {
        const values = idsOf(task, numbers.slice(at, at + RECORDS_PER_QUERY))
        // No filter_path and no source filtering: only so do the bytes come back as they were sent.
        const body = { size: HITS_MAX, query: { ids: { values } } }
        const bytes = await exchange.ask('POST', searchPath([task], ''), JSON.stringify(body))
        if (bytes === undefined) continue
        whole(bytes)
        for (const { id, source } of sourcesOf(bytes.toString()))
          found.set(Number(id.slice(task.id.length + 1)), { line: canonicalOf(source, task.id) })
      }
      return found
    },
    queries: exchange.queries,
    close: exchange.close,
  }
}

/** Frames whose records fit one answer, with room for copies. */
function groupsOf(tasks: readonly AuditTask[]): AuditTask[][] {
  const groups: AuditTask[][] = []
  let records = 0
  for (const task of tasks) {
    records += task.count
    if (groups.length === 0 || records > RECORDS_TOGETHER) {
      groups.push([])
      records = task.count
    }
    groups.at(-1)?.push(task)
  }
  return groups
}
