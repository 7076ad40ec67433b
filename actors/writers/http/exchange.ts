// One HTTP exchange with a backend: ready bytes go out on a keep-alive pool, the answer's bytes come back in one piece.
import type { Dispatcher } from 'undici'
import Pool from 'undici/lib/dispatcher/pool.js'
import { MillraceError } from '../../../protocol/errors.js'
import type { Tls } from './credentials.js'

export interface HttpAnswer {
  readonly status: number
  readonly header: (name: string) => string | readonly string[] | undefined
  readonly body: Buffer
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT'
  /** Path and query, behind the URL's own path. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer | null
}

export interface HttpExchange {
  /**
   * Rejects without a whole answer, or with `http.answer` when it is longer than `answerBytesMax`. The body's memory may be reused once
   * this has settled: the socket of an aborted request is destroyed.
   */
  send(request: HttpRequest, signal: AbortSignal, answerBytesMax: number): Promise<HttpAnswer>
  close(): Promise<void>
}

export interface HttpExchangeOptions {
  readonly url: string
  readonly connections: number
  /** Of one request, ms; the caller's signal is the limit, this one only guards against a signal that is lost. */
  readonly timeoutMs: number
  readonly tls: Tls
}

/** How long an idle connection is kept; Elasticsearch and Loki themselves keep them for longer. */
const KEEP_ALIVE_MS = 60_000
const GUARD_MS = 10_000

/**
 * On undici's dispatch, below its promises and streams: an answer here is a few bytes, and a stream, an iterator and their
 * listeners for each cost more than to encode what was sent.
 */
export function createHttpExchange(options: HttpExchangeOptions): HttpExchange {
  const { origin, pathname } = new URL(options.url)
  const prefix = pathname.replace(/\/$/, '')
  const pool = new Pool(origin, {
    connections: options.connections,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connect: { ...options.tls, timeout: options.timeoutMs },
    headersTimeout: options.timeoutMs + GUARD_MS,
    bodyTimeout: options.timeoutMs + GUARD_MS,
  })
  return {
    send: ({ method, path, headers, body }, signal, answerBytesMax) =>
      new Promise((resolve, reject) => {
        pool.dispatch(
          { method, path: prefix + path, headers, body },
          createHandler(signal, answerBytesMax, resolve, reject),
        )
      }),
    close: () => pool.close(),
  }
}

function createHandler(
  signal: AbortSignal,
  answerBytesMax: number,
  resolve: (answer: HttpAnswer) => void,
  reject: (error: Error) => void,
): Dispatcher.DispatchHandler {
  let cut: () => void = () => undefined
  let status = 0
  let header: HttpAnswer['header'] = () => undefined
  const chunks: Buffer[] = []
  let bytes = 0
  return {
    onRequestStart(controller) {
      cut = () => controller.abort(new Error('the request was given up'))
      // It may have waited for a connection until now.
      if (signal.aborted) cut()
      else signal.addEventListener('abort', cut, { once: true })
    },
    onResponseStart(_, statusCode, headers) {
      status = statusCode
      header = (name) => headers[name]
    },
    onResponseData(controller, chunk) {
      bytes += chunk.length
      if (bytes <= answerBytesMax) chunks.push(chunk)
      else controller.abort(new MillraceError('http.answer', `an answer of over ${answerBytesMax} bytes`))
    },
    onResponseEnd() {
      signal.removeEventListener('abort', cut)
      resolve({ status, header, body: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks) })
    },
    onResponseError(_, error) {
      signal.removeEventListener('abort', cut)
      reject(error)
    },
  }
}
