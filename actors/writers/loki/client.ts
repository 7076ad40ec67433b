// The way to Loki: one keep-alive pool, one request a push.
import { Pool } from 'undici'
import type { LokiOptions } from '../../../protocol/config/backends.js'
import { basicAuth, secretOf, tlsOf } from '../credentials.js'

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

/** An error's text; more of it is thrown away. */
const TEXT_BYTES_MAX = 64 * 1024
/** A page of ids has about 1 MiB. */
const PAGE_BYTES_MAX = 32 * 1024 * 1024
const QUERY_PATH = '/loki/api/v1/query_range'
/** How long an idle connection is kept; Loki itself keeps them for two minutes. */
const KEEP_ALIVE_MS = 60_000

/** Throws `config.*` for unreadable secrets. */
export function createLokiClient(name: string, options: LokiOptions): LokiClient {
  const url = new URL(options.url)
  const prefix = url.pathname.replace(/\/$/, '')
  const bearer = secretOf(`backends.${name}.bearer_token`, undefined, options.bearer_token_file)
  const authorization = bearer === undefined ? basicAuth(name, options) : `Bearer ${bearer}`
  const headers = {
    ...(authorization === undefined ? {} : { authorization }),
    ...(options.tenant === undefined ? {} : { 'x-scope-orgid': options.tenant }),
  }
  const pool = new Pool(url.origin, {
    connections: options.concurrency_max,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connect: { ...tlsOf(name, options), timeout: options.timeout },
    // The signal is the limit; these only guard against a signal that is lost.
    headersTimeout: options.timeout + 10_000,
    bodyTimeout: options.timeout + 10_000,
  })
  async function exchange(
    method: 'GET' | 'POST',
    path: string,
    body: Buffer | null,
    signal: AbortSignal,
    textBytesMax = TEXT_BYTES_MAX,
  ): Promise<LokiAnswer> {
    // Metadata apart from the labels, else each entry of an answer is a stream of its own.
    const type =
      body === null
        ? { 'x-loki-response-encoding-flags': 'categorize-labels' }
        : { 'content-type': 'application/x-protobuf' }
    const answer = await pool.request({
      method,
      path: prefix + path,
      headers: { ...headers, ...type },
      body,
      signal,
    })
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      if (bytes < textBytesMax) chunks.push(chunk)
      bytes += chunk.length
    }
    const text = Buffer.concat(chunks).toString('utf8', 0, textBytesMax)
    return { status: answer.statusCode, retryAfter: answer.headers['retry-after'], text }
  }

  return {
    push: (body, signal) => exchange('POST', '/loki/api/v1/push', body, signal),
    query: (parameters, signal) =>
      exchange('GET', `${QUERY_PATH}?${String(parameters)}`, null, signal, PAGE_BYTES_MAX),
    probe: (signal) => exchange('GET', '/ready', null, signal),
    close: () => pool.close(),
  }
}
