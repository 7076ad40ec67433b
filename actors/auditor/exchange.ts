// One query to a backend: paced, counted, with the backend's own credentials; what is no answer is an error and never a difference.
import { Pool } from 'undici'
import type { ElasticsearchOptions, LokiOptions } from '../../protocol/config/backends.js'
import { MillraceError, systemCode } from '../../protocol/errors.js'
import type { Clock } from '../../runtime/clock.js'
import { sleep } from '../../runtime/clock.js'
import { basicAuth, secretOf, tlsOf } from '../writers/credentials.js'

export interface Exchange {
  /** Resolves with the body of a 200; `undefined` for a 404. Rejects with `audit.backend`. */
  ask(method: 'GET' | 'POST', path: string, body?: string): Promise<Buffer | undefined>
  queries(): number
  close(): Promise<void>
}

export interface ExchangeOptions {
  readonly name: string
  readonly options: ElasticsearchOptions | LokiOptions
  readonly clock: Clock
  readonly queriesPerSecond: number
  readonly signal: AbortSignal
  /** A query goes out. */
  asked(): void
}

/** A page of records has a few MiB. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024
/** What a caller may say of an answer that was refused for its size, to ask for less. */
export const TOO_MUCH = 'audit.too_much'

/** Throws `config.*` for unreadable secrets. */
export function createExchange({
  name,
  options,
  clock,
  queriesPerSecond,
  signal,
  asked,
}: ExchangeOptions): Exchange {
  const url = new URL(options.url)
  const prefix = url.pathname.replace(/\/$/, '')
  const headers = headersOf(name, options)
  const timeoutMs = options.timeout
  const pool = new Pool(url.origin, {
    connections: 1,
    pipelining: 1,
    connect: { ...tlsOf(name, options), timeout: timeoutMs },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  })
  const gapMs = 1000 / queriesPerSecond
  let nextMs = Number.NEGATIVE_INFINITY
  let queries = 0

  /** Evenly spaced: a burst would be a spike of load on a server that many nodes ask. */
  async function pace(): Promise<void> {
    const nowMs = clock.monotonic()
    const startMs = Math.max(nowMs, nextMs)
    nextMs = startMs + gapMs
    if (startMs > nowMs) await sleep(clock, startMs - nowMs, signal)
  }

  async function once(method: 'GET' | 'POST', path: string, body?: string) {
    const type = body === undefined ? {} : { 'content-type': 'application/json' }
    const answer = await pool.request({
      method,
      path: prefix + path,
      headers: { ...headers, ...type },
      body: body ?? null,
      signal,
    })
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > ANSWER_BYTES_MAX)
        throw new MillraceError(TOO_MUCH, `an answer of over ${ANSWER_BYTES_MAX} bytes`)
      chunks.push(chunk)
    }
    return { status: answer.statusCode, bytes: Buffer.concat(chunks, bytes) }
  }

  return {
    async ask(method, path, body) {
      await pace()
      queries++
      asked()
      const { status, bytes } = await once(method, path, body).catch((cause: unknown) => {
        if (cause instanceof MillraceError) throw cause
        throw noAnswer(name, `does not answer (${systemCode(cause) ?? String(cause)})`, cause)
      })
      if (status === 200) return bytes
      if (status === 404) return undefined
      const text = bytes.toString('utf8', 0, 300).trim()
      // Loki's words where a query finds more than one answer may hold.
      if (/maximum (?:number )?of series|query timed out|exceeds? the limit|too many/i.test(text))
        throw new MillraceError(TOO_MUCH, `${name} answers ${status}: ${text}`)
      throw noAnswer(name, `answers a query with ${status}: ${text}`)
    },
    queries: () => queries,
    close: () => pool.destroy(),
  }
}

export function noAnswer(name: string, what: string, cause?: unknown): MillraceError {
  return new MillraceError('audit.backend', `backend ${name} ${what}`, { cause })
}

function headersOf(name: string, options: ElasticsearchOptions | LokiOptions): Record<string, string> {
  if (options.type === 'elasticsearch') {
    const key = secretOf(`backends.${name}.api_key`, options.api_key, options.api_key_file)
    const authorization = key === undefined ? basicAuth(name, options) : `ApiKey ${key}`
    return authorization === undefined ? {} : { authorization }
  }
  const bearer = secretOf(`backends.${name}.bearer_token`, undefined, options.bearer_token_file)
  const authorization = bearer === undefined ? basicAuth(name, options) : `Bearer ${bearer}`
  return {
    // Metadata apart from the labels, else each entry of an answer is a stream of its own.
    'x-loki-response-encoding-flags': 'categorize-labels',
    ...(authorization === undefined ? {} : { authorization }),
    ...(options.tenant === undefined ? {} : { 'x-scope-orgid': options.tenant }),
  }
}
