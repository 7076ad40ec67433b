// Asks Loki which entries of a push it already has, before they are sent a second time: a sharded stream would keep both.
import { MillraceError } from '../../../protocol/errors.js'
import type { LokiAnswer } from './client.js'
import type { Entry } from './push.js'

/** One page of a log query; Loki's own answer. */
export type LokiQuery = (parameters: URLSearchParams) => Promise<LokiAnswer>

/** Loki's default max_entries_limit_per_query. */
const PAGE_ENTRIES = 5000
/** A regex of ids costs by the alternative. */
const FRAMES_PER_QUERY = 32
/** Entries further apart are asked for on their own, so that no query reads what lies between. */
const GAP_MS = 60_000
const WINDOWS_MAX = 16
/** Labels that every stream of a record has, the overflow one too, are asked first; `repair` and `overflow` must not matter. */
const FIRST_LABELS = ['cluster_id', 'log_type', 'log_level']

/**
 * The rids of these entries that Loki has. Rejects with `loki.lookup` when an answer is no answer: its `answer` member is what came.
 * What lies unflushed for longer than the server's query_ingesters_within is not found.
 */
export async function storedOf(entries: readonly Entry[], query: LokiQuery): Promise<ReadonlySet<string>> {
  const stored = new Set<string>()
  for (const window of windowsOf(entries)) {
    const frames = [...new Set(window.map(({ frame }) => frame))]
    const span = {
      fromMs: Math.floor(window[0]?.tsMs ?? 0) - 1,
      toMs: Math.ceil(window.at(-1)?.tsMs ?? 0) + 2,
    }
    for (let at = 0; at < frames.length; at += FRAMES_PER_QUERY) {
      const ids = frames.slice(at, at + FRAMES_PER_QUERY)
      // The line is replaced by the rid: whole lines could be more than a server's internal messages hold.
      const logql = `${selectorOf(window)} | batch_id${matching(ids)} | line_format "{{.rid}}"`
      await readPages(logql, span, query, stored)
    }
  }
  return stored
}

/** Adds the rids of all entries that a log query with the rid as its line finds, page by page. */
export async function readPages(
  logql: string,
  { fromMs, toMs }: { fromMs: number; toMs: number },
  query: LokiQuery,
  into: Set<string>,
): Promise<void> {
  const end = `${toMs}000000`
  for (let startNs = BigInt(fromMs) * 1_000_000n; ; ) {
    const answer = await query(
      new URLSearchParams({
        query: logql,
        start: String(startNs),
        end,
        limit: String(PAGE_ENTRIES),
        direction: 'forward',
      }),
    )
    const page = pageOf(answer)
    for (const { rid } of page.entries) into.add(rid)
    if (page.entries.length < PAGE_ENTRIES) return
    // Entries of other streams at the page's last instant may be missing: read that instant again, unless it fills a page alone.
    startNs = page.newestNs > startNs ? page.newestNs : startNs + 1n
  }
}

interface Page {
  readonly entries: readonly { readonly rid: string }[]
  readonly newestNs: bigint
}

type Values = readonly [ts: string, line: string, more?: { structuredMetadata?: { rid?: string } }]

function pageOf(answer: LokiAnswer): Page {
  const failed = (why: string) =>
    Object.assign(new MillraceError('loki.lookup', `asking Loki what it has: ${why}`), { answer })
  if (answer.status !== 200) throw failed(`it answers ${answer.status}`)
  let result: readonly { readonly values: readonly Values[] }[]
  try {
    const { data } = JSON.parse(answer.text) as { data?: { result?: typeof result } }
    result = data?.result ?? []
  } catch {
    throw failed('the answer is no JSON')
  }
  let newestNs = 0n
  const entries = result.flatMap(({ values }) =>
    values.map(([ts, , more]) => {
      const ns = BigInt(ts)
      if (ns > newestNs) newestNs = ns
      return { rid: more?.structuredMetadata?.rid ?? '' }
    }),
  )
  return { entries, newestNs }
}

/** The entries by time, cut at the gaps. */
function windowsOf(entries: readonly Entry[]): Entry[][] {
  const sorted = entries.toSorted((a, b) => a.tsMs - b.tsMs)
  for (let gapMs = GAP_MS; ; gapMs *= 2) {
    const windows: Entry[][] = []
    let newestMs = Number.NEGATIVE_INFINITY
    for (const entry of sorted) {
      if (entry.tsMs - newestMs > gapMs) windows.push([])
      windows.at(-1)?.push(entry)
      newestMs = entry.tsMs
    }
    if (windows.length <= WINDOWS_MAX) return windows
  }
}

/** Selects by one label that all entries have, cluster_id before others. */
function selectorOf(entries: readonly Entry[]): string {
  const texts = [...new Set(entries.map(({ labels }) => labels))]
  const others = [...(texts[0] ?? '').matchAll(/[{ ]([a-zA-Z_]\w*)="/g)].map(([, name]) => name as string)
  for (const name of [...FIRST_LABELS, ...others]) {
    if (name === 'repair' || name === 'overflow') continue
    const pattern = new RegExp(`[{ ]${name}=("(?:[^"\\\\]|\\\\.)*")`)
    const values = new Set(texts.map((text) => pattern.exec(text)?.[1]))
    if (!values.has(undefined)) {
      return `{${name}${matching([...values].map((value) => JSON.parse(value as string) as string))}}`
    }
  }
  // Loki adds this label to every stream.
  return '{service_name=~".+"}'
}

function matching(values: readonly string[]): string {
  if (values.length === 1) return `=${JSON.stringify(values[0])}`
  const either = values.map((value) => value.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')
  return `=~${JSON.stringify(either)}`
}
