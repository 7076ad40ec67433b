// The node's HTTP side: health, readiness, metrics, status and the live tap. Read-only, bounded, GET only.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import type { NodeStatus } from '../../protocol/status.js'
import { listenOn } from './listen.js'
import { createTaps, type TapSource } from './tap.js'

export interface HttpOptions {
  /** `host:port`; port 0 lets the system choose. */
  readonly listen: string
  readonly health: () => NodeStatus
  /** Prometheus text. */
  readonly metrics: () => Promise<string>
  readonly tap: TapSource
  readonly log: Logger
  /** The option that `listen` comes from, for the message when the port is taken. */
  readonly option?: string
}

export interface HttpServer {
  /** `host:port` with the real port. */
  readonly address: string
  /** Ends every request and tap; resolves when the port is free. */
  close(): Promise<void>
}

const HEADER_BYTES_MAX = 16 * 1024
const CONNECTIONS_MAX = 256
const PAGES = ['/healthz', '/readyz', '/metrics', '/status', '/tap']

/** Throws MillraceError `http.port_in_use`, `http.address` or `http.listen`, each naming the address, the option and the way out. */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const taps = createTaps(options.tap)
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      requestTimeout: 10_000,
      headersTimeout: 5_000,
      // Else those two would be looked at twice a minute.
      connectionsCheckingInterval: 1_000,
      keepAliveTimeout: 30_000,
    },
    (request, response) => {
      answer(request, response).catch((error: unknown) => {
        options.log.error({ err: error, path: request.url }, 'a request failed')
        if (response.headersSent) response.destroy()
        else text(response, 500, 'internal error; see the log of the node')
      })
    },
  )
  server.maxConnections = CONNECTIONS_MAX
  server.maxRequestsPerSocket = 10_000
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n')
    else socket.destroy()
  })
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A body is neither wanted nor read: its connection is not used again.
    if (
      request.headers['content-length'] !== undefined ||
      request.headers['transfer-encoding'] !== undefined
    ) {
      response.setHeader('connection', 'close')
    }
    // Not by `new URL`: it throws on some targets that HTTP allows, and reads `//host` as another server's.
    const [page = '', query = ''] = (request.url ?? '/').split('?', 2)
    if (!PAGES.includes(page)) return text(response, 404, `no such page; there are ${PAGES.join(', ')}`)
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      return text(response, 405, `${request.method} is not answered here; use GET`)
    }
    if (page === '/healthz') return text(response, 200, 'ok')
    if (page === '/readyz') return readiness(response, options.health())
    if (page === '/status') return json(response, options.health())
    if (page === '/tap') return taps.answer(request, response, new URLSearchParams(query))
    send(response, 200, 'text/plain; version=0.0.4; charset=utf-8', await options.metrics())
  }
  const address = await listenOn(server, options.listen, options.option ?? 'http.listen')
  return {
    address,
    close: () =>
      new Promise((resolve) => {
        taps.close()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function readiness(response: ServerResponse, status: NodeStatus): void {
  if (!status.ready) return text(response, 503, ['not ready', ...status.reasons].join('\n'))
  text(response, 200, ['ready', ...status.degraded.map((what) => `degraded: ${what}`)].join('\n'))
}

function json(response: ServerResponse, value: unknown): void {
  send(response, 200, 'application/json; charset=utf-8', `${JSON.stringify(value)}\n`)
}

function text(response: ServerResponse, status: number, body: string): void {
  send(response, status, 'text/plain; charset=utf-8', `${body}\n`)
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  // node:http leaves the body of a HEAD answer out by itself.
  response.end(body)
}
