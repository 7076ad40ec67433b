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
  /** Whether something answers there. Rejects when nothing does. */
  probe(signal: AbortSignal): Promise<LokiAnswer>
  close(): Promise<void>
}

/** An error's text; more of it is thrown away. */
const TEXT_BYTES_MAX = 64 * 1024
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
  ): Promise<LokiAnswer> {
    const type = body === null ? {} : { 'content-type': 'application/x-protobuf' }
    const answer = await pool.request({
      method,
      path: prefix + path,
      headers: { ...headers, ...type },
      body,
      signal,
    })
    let text = ''
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      if (text.length < TEXT_BYTES_MAX) text += chunk.toString('utf8', 0, TEXT_BYTES_MAX)
    }
    return { status: answer.statusCode, retryAfter: answer.headers['retry-after'], text }
  }

  return {
    push: (body, signal) => exchange('POST', '/loki/api/v1/push', body, signal),
    probe: (signal) => exchange('GET', '/ready', null, signal),
    close: () => pool.close(),
  }
}
