// Starts the node's HTTP server on a free port for tests, with a status that a test may change.
import { pino } from 'pino'
import type { NodeStatus } from '../../protocol/status.js'
import { startHttp, type HttpServer } from '../../runtime/http/server.js'
import type { TapSource } from '../../runtime/http/tap.js'

export const exampleStatus: NodeStatus = {
  node: 'n1',
  version: '0.1.0',
  uptimeMs: 10_000,
  ready: true,
  reasons: [],
  degraded: [],
  actors: { journal: { group: 'journal', ready: true, detail: {} } },
  groups: { journal: { restarts: 0, up: true } },
  memory: { rssBytes: 100_000_000, peakRssBytes: 120_000_000 },
  cpu: { userUs: 3_000_000, systemUs: 1_000_000 },
  counters: {
    readRecords: 1_000_000,
    readBytes: 405_000_000,
    keptRecords: 200_000,
    droppedRecords: { sampled_tier: 800_000 },
  },
  backends: {
    es: {
      writtenRecords: 200_000,
      writtenBytes: 90_000_000,
      failedRequests: 2,
      lagFrames: 3,
      lagSeconds: 0.4,
      breaker: 'closed',
      concurrency: 2,
      deadLetters: 0,
    },
    loki: {
      writtenRecords: 150_000,
      writtenBytes: 60_000_000,
      failedRequests: 9,
      lagFrames: 120,
      lagSeconds: 187,
      breaker: 'half_open',
      concurrency: 1,
      deadLetters: 4,
    },
  },
  journal: { bytes: 64_000_000, segments: 1, tailSeq: 512 },
}

export interface NodeServer extends HttpServer {
  readonly url: string
  status: NodeStatus
}

export async function startNodeServer(
  parts: { readonly tap?: TapSource; readonly metrics?: () => Promise<string> } = {},
): Promise<NodeServer> {
  const server = await startHttp({
    listen: '127.0.0.1:0',
    health: () => node.status,
    metrics: parts.metrics ?? (() => Promise.resolve('log_pipeline_x 1\n')),
    tap: parts.tap ?? (() => undefined),
    log: pino({ level: 'silent' }),
  })
  const node: NodeServer = { ...server, url: `http://${server.address}`, status: exampleStatus }
  return node
}
