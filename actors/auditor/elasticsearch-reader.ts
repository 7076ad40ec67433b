// What Elasticsearch holds of a frame: one terms aggregation on batch_id for hundreds of frames, ids where they differ.
import type { AuditTask } from '../../protocol/audit.js'
import type { ElasticsearchOptions } from '../../protocol/config/backends.js'
import { createIndexNames } from '../writers/elasticsearch/index-name.js'
import { answerOf, type Exchange, noAnswer } from './exchange.js'
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
/** Record numbers that are counted together, and ranges of them in one search. */
const RANGE = 50
const RANGES_TOGETHER = 400
/** Ranges whose ids are read in one search: with copies there are more hits, and max_result_window is 10,000. */
const LOOKED_AT = 60
/** Records of one search: they may be long. */
const RECORDS_PER_QUERY = 200
const HITS_MAX = 10_000

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

  const searchPath = (tasks: readonly AuditTask[], more = ''): string =>
    `/${indicesOf(tasks)}/_search?ignore_unavailable=true&allow_no_indices=true${more}`

  async function search<T extends Searched>(
    path: string,
    body: object,
  ): Promise<{ answer: T; text: string }> {
    const bytes = await exchange.ask('POST', path, JSON.stringify(body))
    // Indices that are not there are no reason: the search asks for those that are.
    if (bytes === undefined) throw noAnswer(name, 'answers a search with 404: check the url')
    const text = bytes.toString()
    const answer = answerOf<T>(name, text, ({ _shards }) => typeof _shards.failed === 'number')
    // What lies in the other shards would look lost.
    if (answer.timed_out || answer._shards.failed > 0)
      throw noAnswer(name, 'has answered a search for a part of its shards only')
    return { answer, text }
  }

  /** Ranges of record numbers that are not there once each: counting by id reads the index only, never a document. */
  async function doubtful(ranges: readonly Range[]): Promise<Range[]> {
    const filters = Object.fromEntries(
      ranges.map(({ task, from, to }, n) => [n, { ids: { values: idsOf(task, from, to) } }]),
    )
    type Counted = Searched & {
      aggregations?: { ranges: { buckets: Record<string, { doc_count: number }> } }
    }
    const { answer } = await search<Counted>(searchPath(ranges.map(({ task }) => task)), {
      size: 0,
      track_total_hits: false,
      query: { terms: { batch_id: [...new Set(ranges.map(({ task }) => task.id))] } },
      aggs: { ranges: { filters: { filters } } },
    })
    const buckets = answer.aggregations?.ranges.buckets ?? {}
    return ranges.filter(({ from, to }, n) => (buckets[n]?.doc_count ?? 0) !== to - from)
  }

  /** Ids of the documents in these ranges; a document in two indices comes twice. Each costs a look into the stored fields. */
  async function idsIn(ranges: readonly Range[]): Promise<string[]> {
    const ids: string[] = []
    for (let at = 0; at < ranges.length; at += LOOKED_AT) {
      const some = ranges.slice(at, at + LOOKED_AT)
      const path = searchPath(
        some.map(({ task }) => task),
        '&filter_path=timed_out,_shards.failed,hits.hits._id',
      )
      const values = some.flatMap(({ task, from, to }) => idsOf(task, from, to))
      type Found = Searched & { hits?: { hits?: { _id: string }[] } }
      const { answer } = await search<Found>(path, {
        size: HITS_MAX,
        _source: false,
        query: { ids: { values } },
      })
      for (const { _id } of answer.hits?.hits ?? []) ids.push(_id)
    }
    return ids
  }

  return {
    name,
    type: 'elasticsearch',
    async counts(tasks) {
      const ids = tasks.map(({ id }) => id)
      const { answer } = await search<Searched & { aggregations?: { batches: Terms } }>(searchPath(tasks), {
        size: 0,
        track_total_hits: false,
        query: { terms: { batch_id: ids } },
        aggs: { batches: { terms: { field: 'batch_id', size: ids.length } } },
      })
      const batches = answer.aggregations?.batches
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
      const ranges = tasks.flatMap(rangesOf)
      const open: Range[] = []
      for (let at = 0; at < ranges.length; at += RANGES_TOGETHER)
        open.push(...(await doubtful(ranges.slice(at, at + RANGES_TOGETHER))))
      const ids = await idsIn(open)
      const numbers = numbersOf(tasks, ids)
      const inDoubt = new Set(open)
      for (const range of ranges) {
        if (inDoubt.has(range)) continue
        for (let n = range.from; n < range.to; n++) numbers.get(range.task.id)?.add(n)
      }
      const copies = new Map<string, number>()
      const seen = new Set<string>()
      for (const id of ids) {
        const frame = id.slice(0, id.lastIndexOf('-'))
        if (seen.has(id)) copies.set(frame, (copies.get(frame) ?? 0) + 1)
        seen.add(id)
      }
      return new Map(
        [...numbers].map(([id, there]): [string, Held] => [
          id,
          { numbers: there, copies: copies.get(id) ?? 0 },
        ]),
      )
    },
    async records(task, numbers) {
      const found = new Map<number, HeldRecord>()
      for (let at = 0; at < numbers.length; at += RECORDS_PER_QUERY) {
        const values = numbers.slice(at, at + RECORDS_PER_QUERY).map((n) => `${task.id}-${n}`)
        // No filter_path and no source filtering: only so do the bytes come back as they were sent.
        const body = { size: HITS_MAX, query: { ids: { values } } }
        const { text } = await search(searchPath([task]), body)
        for (const { id, source } of sourcesOf(text))
          found.set(Number(id.slice(task.id.length + 1)), { line: canonicalOf(source, task.id) })
      }
      return found
    },
    queries: exchange.queries,
    close: exchange.close,
  }
}

interface Range {
  readonly task: AuditTask
  readonly from: number
  readonly to: number
}

function rangesOf(task: AuditTask): Range[] {
  const ranges: Range[] = []
  for (let from = 0; from < task.count; from += RANGE)
    ranges.push({ task, from, to: Math.min(from + RANGE, task.count) })
  return ranges
}

const idsOf = ({ id }: AuditTask, from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, n) => `${id}-${from + n}`)
