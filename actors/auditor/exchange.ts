// One query to a backend: paced, counted, with the backend's own credentials; what is no answer is an error and never a difference.
import type { ElasticsearchOptions, LokiOptions } from '../../protocol/config/backends.js'
import { MillraceError, systemCode } from '../../protocol/errors.js'
import type { Clock } from '../../runtime/clock.js'
import { sleep } from '../../runtime/clock.js'
import { basicAuth, secretOf, tlsOf } from '../writers/http/credentials.js'
import { createHttpExchange, type HttpAnswer } from '../writers/http/exchange.js'

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
  const headers = headersOf(name, options)
  const http = createHttpExchange({
    url: options.url,
    connections: 1,
    timeoutMs: options.timeout,
    tls: tlsOf(name, options),
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

  function once(method: 'GET' | 'POST', path: string, body?: string): Promise<HttpAnswer> {
    const type = body === undefined ? {} : { 'content-type': 'application/json' }
    const request = { method, path, headers: { ...headers, ...type } }
    const limit = AbortSignal.any([signal, AbortSignal.timeout(options.timeout)])
    return http.send(
      { ...request, body: body === undefined ? null : Buffer.from(body) },
      limit,
      ANSWER_BYTES_MAX,
    )
  }

  return {
    async ask(method, path, body) {
      await pace()
      queries++
      asked()
      const { status, body: bytes } = await once(method, path, body).catch((cause: unknown) => {
        if (cause instanceof MillraceError) throw new MillraceError(TOO_MUCH, cause.message, { cause })
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
    close: () => http.close(),
  }
}

/** What a gateway in front of the backend says with status 200 is no answer either. */
export function answerOf<Answer>(name: string, text: string, isAnswer: (answer: Answer) => boolean): Answer {
  try {
    const answer = JSON.parse(text) as Answer
    if (isAnswer(answer)) return answer
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error
  }
  throw noAnswer(name, `answers a query with what is no answer to it: ${JSON.stringify(text.slice(0, 100))}`)
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
