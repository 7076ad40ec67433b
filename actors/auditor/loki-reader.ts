// What Loki holds of a frame: one count by batch_id over a window of time for hundreds of frames, rids where they differ.
import type { AuditSpan, AuditTask } from '../../protocol/audit.js'
import type { LokiOptions } from '../../protocol/config/backends.js'
import { MillraceError } from '../../protocol/errors.js'
import { labelsOf } from '../writers/loki/labels.js'
import { readPages } from '../writers/loki/lookup.js'
import { answerOf, type Exchange, noAnswer, TOO_MUCH } from './exchange.js'
import { type BackendReader, type Held, type HeldRecord, numbersOf, spansOf } from './reader.js'

/** Frames further apart do not share a query: it would read all that lies between. */
const WINDOW_MS = 600_000
/** So few are asked for by id: a regex costs by the alternative, the grouping by everything in the window. */
const BY_ID_MAX = 16
/** Lines of a page: they may be long, and Loki's internal messages have 4 MiB. */
const LINES_PER_PAGE = 500
/** Labels that every stream of a record has, the overflow one too. */
const EVERYWHERE = ['cluster_id', 'log_type', 'log_level']

interface Sample {
  readonly metric: { readonly batch_id?: string }
  readonly value: readonly [number, string]
}
type Values = readonly [ts: string, line: string, more?: { structuredMetadata?: { rid?: string } }]

export function createLokiReader(
  name: string,
  options: LokiOptions,
  clusterId: string,
  exchange: Exchange,
): BackendReader {
  const selector = selectorOf(options.labels, clusterId)

  async function get(path: string, parameters: URLSearchParams): Promise<string> {
    const bytes = await exchange.ask('GET', `/loki/api/v1/${path}?${String(parameters)}`)
    if (bytes === undefined) throw noAnswer(name, `answers ${path} with 404: check the url`)
    return bytes.toString()
  }

  function resultOf<Item>(text: string): readonly Item[] {
    type Answer = { readonly data: { readonly result: readonly Item[] } }
    return answerOf<Answer>(name, text, ({ data }) => Array.isArray(data.result)).data.result
  }

  /** Records by batch in the span. The range [R] at T covers (T−R, T], in whole ms; entries have ns. */
  async function countIn(span: AuditSpan, ids: readonly string[] | undefined): Promise<Map<string, number>> {
    const filter = ids === undefined ? '' : ` | batch_id${matching(ids)}`
    const toMs = Math.floor(span.toMs) + 1
    const range = `${toMs - Math.floor(span.fromMs) + 1}ms`
    const query = `sum by (batch_id) (count_over_time(${selector}${filter} [${range}]))`
    const text = await get('query', new URLSearchParams({ query, time: `${toMs}000000` }))
    return new Map(
      resultOf<Sample>(text).map(({ metric, value }) => [metric.batch_id ?? '', Number(value[1])]),
    )
  }

  /** Frames of one window; halved when that is more than one answer may hold, in the end asked for by id. */
  async function countTogether(tasks: readonly AuditTask[], into: Map<string, number>): Promise<void> {
    const span = spanOf(tasks)
    const byId = tasks.length <= BY_ID_MAX
    try {
      const counted = await countIn(span, byId ? tasks.map(({ id }) => id) : undefined)
      for (const { id } of tasks) into.set(id, counted.get(id) ?? 0)
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== TOO_MUCH) throw error
      if (tasks.length === 1) throw noAnswer(name, error.message, error)
      const middle = tasks.length >> 1
      await countTogether(tasks.slice(0, middle), into)
      await countTogether(tasks.slice(middle), into)
    }
  }

  async function countApart(task: AuditTask): Promise<number> {
    let count = 0
    for (const span of spansOf(task)) count += (await countIn(span, [task.id])).get(task.id) ?? 0
    return count
  }

  /** Counts first: what is pushed in between must not look like copies. */
  async function heldIn(
    tasks: readonly AuditTask[],
    spans: readonly AuditSpan[],
    into: Map<string, Held>,
  ): Promise<void> {
    const ids = tasks.map(({ id }) => id)
    const rids = new Set<string>()
    const counts = new Map<string, number>()
    // The line is replaced by the rid: whole lines could be more than a server's internal messages hold.
    const query = `${selector} | batch_id${matching(ids)} | line_format "{{.rid}}"`
    const page = async (parameters: URLSearchParams) => {
      const text = await get('query_range', parameters)
      return { status: 200, retryAfter: undefined, text }
    }
    for (const span of spans) {
      for (const [id, count] of await countIn(span, ids)) counts.set(id, (counts.get(id) ?? 0) + count)
      await readPages(query, { fromMs: span.fromMs, toMs: span.toMs + 1 }, page, rids)
    }
    for (const [id, numbers] of numbersOf(tasks, rids))
      into.set(id, { numbers, copies: Math.max(0, (counts.get(id) ?? 0) - numbers.size) })
  }

  async function pagesOf(task: AuditTask, filter: string, each: (rid: string, value: Values) => void) {
    for (const span of spansOf(task)) {
      for (let startNs = BigInt(span.fromMs) * 1_000_000n; ; ) {
        const text = await get(
          'query_range',
          new URLSearchParams({
            query: `${selector} | batch_id=${JSON.stringify(task.id)}${filter}`,
            start: String(startNs),
            end: `${span.toMs + 1}000000`,
            limit: String(LINES_PER_PAGE),
            direction: 'forward',
          }),
        )
        const values = resultOf<{ values: Values[] }>(text).flatMap((stream) => stream.values)
        let newestNs = startNs
        for (const value of values) {
          if (BigInt(value[0]) > newestNs) newestNs = BigInt(value[0])
          each(value[2]?.structuredMetadata?.rid ?? '', value)
        }
        if (values.length < LINES_PER_PAGE) break
        // The last instant is read again: entries of other streams at it may be missing.
        startNs = newestNs > startNs ? newestNs : startNs + 1n
      }
    }
  }

  const numberOf = (task: AuditTask, rid: string): number => Number(rid.slice(task.id.length + 1))

  return {
    name,
    type: 'loki',
    async counts(tasks) {
      const counted = new Map<string, number>()
      const { wide, groups } = grouped(tasks, Number.POSITIVE_INFINITY)
      for (const task of wide) counted.set(task.id, await countApart(task))
      for (const group of groups) await countTogether(group, counted)
      return counted
    },
    async refresh() {
      // What its ingesters have is visible at once.
    },
    async held(tasks) {
      const held = new Map<string, Held>()
      const { wide, groups } = grouped(tasks, BY_ID_MAX)
      for (const task of wide) await heldIn([task], spansOf(task), held)
      for (const group of groups) await heldIn(group, [spanOf(group)], held)
      return held
    },
    async records(task, numbers) {
      const wanted = new Set(numbers)
      const found = new Map<number, HeldRecord>()
      const few = numbers.length <= BY_ID_MAX
      const filter = few ? ` | rid${matching(numbers.map((n) => `${task.id}-${n}`))}` : ''
      await pagesOf(task, filter, (rid, [ts, line]) => {
        const n = numberOf(task, rid)
        if (wanted.has(n)) found.set(n, { line, tsNs: BigInt(ts) })
      })
      return found
    },
    queries: exchange.queries,
    close: exchange.close,
  }
}

/** A label that all streams of this node have; nothing that differs between a stream and its repair twin. */
function selectorOf(configured: readonly string[], clusterId: string): string {
  const names = new Set(labelsOf(configured).labels.map(({ name }) => name))
  if (names.has('cluster_id')) return `{cluster_id=${JSON.stringify(clusterId)}}`
  const everywhere = EVERYWHERE.find((label) => names.has(label))
  // Loki adds service_name to every stream.
  return `{${everywhere ?? 'service_name'}=~".+"}`
}

function matching(values: readonly string[]): string {
  if (values.length === 1) return `=${JSON.stringify(values[0])}`
  return `=~${JSON.stringify(values.map((value) => value.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'))}`
}

function spanOf(tasks: readonly AuditTask[]): AuditSpan {
  return {
    fromMs: Math.min(...tasks.map(({ fromMs }) => fromMs)),
    toMs: Math.max(...tasks.map(({ toMs }) => toMs)),
  }
}

/** Frames that lie close together share a query; those with records far apart are asked for alone. */
function grouped(
  tasks: readonly AuditTask[],
  most: number,
): { readonly wide: readonly AuditTask[]; readonly groups: readonly (readonly AuditTask[])[] } {
  const isWide = (task: AuditTask) => task.spans !== undefined || task.toMs - task.fromMs > WINDOW_MS
  const groups: AuditTask[][] = []
  const narrow = tasks.filter((task) => !isWide(task)).toSorted((a, b) => a.fromMs - b.fromMs)
  for (const task of narrow) {
    const open = groups.at(-1)
    if (open !== undefined && open.length < most && task.toMs - (open[0]?.fromMs ?? 0) <= WINDOW_MS)
      open.push(task)
    else groups.push([task])
  }
  return { wide: tasks.filter(isWide), groups }
}
