// The way to Loki: one keep-alive pool, one request a push.
import type { LokiOptions } from '../../../protocol/config/backends.js'
import { basicAuth, secretOf, tlsOf } from '../http/credentials.js'
import { createHttpExchange, type HttpRequest } from '../http/exchange.js'

export interface LokiAnswer {
  readonly status: number
  readonly retryAfter: string | readonly string[] | undefined
  readonly text: string
}

export interface LokiClient {
  /** Rejects without an answer. The body's memory may be reused once this has settled: an aborted request's socket is destroyed. */
  push(body: Buffer, signal: AbortSignal): Promise<LokiAnswer>
  /** One page of a log query. Rejects without an answer, or with one too long. */
  query(parameters: URLSearchParams, signal: AbortSignal): Promise<LokiAnswer>
  /** Whether something answers there. Rejects when nothing does. */
  probe(signal: AbortSignal): Promise<LokiAnswer>
  close(): Promise<void>
}

/** An error's text: Loki names the first of many errors only. */
const TEXT_BYTES_MAX = 4 * 1024 * 1024
/** A page of ids has about 1 MiB. */
const PAGE_BYTES_MAX = 32 * 1024 * 1024
const PUSH_PATH = '/loki/api/v1/push'
const QUERY_PATH = '/loki/api/v1/query_range'

/** Throws `config.*` for unreadable secrets. */
export function createLokiClient(name: string, options: LokiOptions): LokiClient {
  const bearer = secretOf(`backends.${name}.bearer_token`, undefined, options.bearer_token_file)
  const authorization = bearer === undefined ? basicAuth(name, options) : `Bearer ${bearer}`
  const headers = {
    ...(authorization === undefined ? {} : { authorization }),
    ...(options.tenant === undefined ? {} : { 'x-scope-orgid': options.tenant }),
  }
  const http = createHttpExchange({
    url: options.url,
    connections: options.concurrency_max,
    timeoutMs: options.timeout,
    tls: tlsOf(name, options),
  })
  // Metadata apart from the labels, else each entry of an answer is a stream of its own.
  const queryHeaders = { ...headers, 'x-loki-response-encoding-flags': 'categorize-labels' }
  const pushHeaders = { ...headers, 'content-type': 'application/x-protobuf' }

  async function exchange(request: HttpRequest, signal: AbortSignal, bytesMax: number): Promise<LokiAnswer> {
    const { status, header, body } = await http.send(request, signal, bytesMax)
    const text = body.toString('utf8', 0, Math.min(body.length, bytesMax))
    return { status, retryAfter: header('retry-after'), text }
  }

  return {
    push: (body, signal) =>
      exchange({ method: 'POST', path: PUSH_PATH, headers: pushHeaders, body }, signal, TEXT_BYTES_MAX),
    query: (parameters, signal) =>
      exchange(
        { method: 'GET', path: `${QUERY_PATH}?${String(parameters)}`, headers: queryHeaders, body: null },
        signal,
        PAGE_BYTES_MAX,
      ),
    probe: (signal) =>
      exchange({ method: 'GET', path: '/ready', headers: queryHeaders, body: null }, signal, TEXT_BYTES_MAX),
    close: () => http.close(),
  }
}
