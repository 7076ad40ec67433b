// A stand-in for Loki: one process-local HTTP server that speaks the subset of its API that Millrace uses.
import { everyShare, type Faults } from './faults.js'
import { type Answer, type Request, startHttpStandIn } from './http.js'
import { labelNames, labelValues, type QueryLimits, runQuery, text } from './loki-query.js'
import { createLokiStore, type Entry, type LokiStore } from './loki-store.js'
import { countEntries, decodePush } from './push-decode.js'
import { snappyDecode } from './snappy-decode.js'

export type LokiStats = {
  requests: number
  pushes: number
  bytes: number
  stored: number
  duplicates: number
  refused: number
  swallowed: number
}

export type LokiStandInOptions = {
  readonly port?: number
  readonly host?: string
  readonly faults?: Faults
  /** `records` keeps every entry; `count` is an acknowledging sink that only counts. */
  readonly store?: 'records' | 'count'
  /** Milliseconds since 1970, for what is too old and too new. */
  readonly now?: () => number
  /** max_query_series and max_entries_limit_per_query; Loki ships 500 and 5,000. */
  readonly seriesMax?: number
  readonly entriesMax?: number
  /** As streams that are sharded inside: what is pushed twice is there twice. */
  readonly shardStreams?: boolean
}

export type StoredEntry = Entry & { readonly labels: Readonly<Record<string, string>> }

export type LokiStandIn = {
  readonly url: string
  readonly stats: Readonly<LokiStats>
  entries(): StoredEntry[]
  count(): number
  setFaults(faults?: Faults): void
  close(): Promise<void>
}

const bodyBytesMax = 100 * 1024 * 1024
const accepted: Answer = { status: 204 }

export async function startLokiStandIn(options: LokiStandInOptions = {}): Promise<LokiStandIn> {
  const stats: LokiStats = {
    requests: 0,
    pushes: 0,
    bytes: 0,
    stored: 0,
    duplicates: 0,
    refused: 0,
    swallowed: 0,
  }
  const store = createLokiStore(options.now ?? Date.now, stats, options.shardStreams)
  const limits: QueryLimits = { seriesMax: options.seriesMax ?? 500, entriesMax: options.entriesMax ?? 5000 }
  const http = await startHttpStandIn({
    ...options,
    bodyBytesMax,
    headers: {},
    isWrite: (path) => path === '/loki/api/v1/push',
    handle(request) {
      stats.requests++
      stats.bytes += request.body.length
      if (request.path !== '/loki/api/v1/push') return read(request, store, limits)
      stats.pushes++
      return options.store === 'count' ? countOnly(request, stats) : push(request, store)
    },
  })
  return {
    ...http,
    stats,
    entries: () =>
      [...store.streams.values()].flatMap(({ labels, entries }) =>
        [...entries.values()].flat().map((entry) => ({ ...entry, labels })),
      ),
    count: () => stats.stored,
  }
}

function push(request: Request, store: LokiStore): Answer {
  const { swallow } = request.faults
  const isLost = everyShare(swallow === true ? 1 : Number(swallow ?? 0))
  try {
    const body = snappyDecode(request.body, bodyBytesMax)
    const { status, message } = store.push(decodePush(body), body.length, isLost)
    return status === 204 ? accepted : text(status, `${message}\n`)
  } catch (error) {
    return text(400, `${(error as Error).message}\n`)
  }
}

function countOnly(request: Request, stats: LokiStats): Answer {
  try {
    const count = countEntries(snappyDecode(request.body, bodyBytesMax))
    if (request.faults.swallow === undefined) stats.stored += count
    else stats.swallowed += count
    return accepted
  } catch (error) {
    return text(400, `${(error as Error).message}\n`)
  }
}

function read(request: Request, store: LokiStore, limits: QueryLimits): Answer {
  const streams = [...store.streams.values()]
  const { path } = request
  if (path === '/ready') return text(200, 'ready\n')
  if (path === '/loki/api/v1/query' || path === '/loki/api/v1/query_range')
    return runQuery(request, streams, limits)
  if (path === '/loki/api/v1/labels') return labelNames(streams)
  const label = /^\/loki\/api\/v1\/label\/([^/]+)\/values$/.exec(path)?.[1]
  return label === undefined
    ? text(404, '404 page not found\n')
    : labelValues(streams, decodeURIComponent(label))
}
