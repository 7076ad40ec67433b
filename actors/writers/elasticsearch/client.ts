// The way to Elasticsearch: the official client's transport, with its retries, parsing and redaction off, since those are done here.
import { promisify } from 'node:util'
import { gunzipSync, gzip } from 'node:zlib'
import { Client } from '@elastic/elasticsearch'
import type { ElasticsearchOptions } from '../../../protocol/config/backends.js'
import { MillraceError } from '../../../protocol/errors.js'
import { basicAuth, secretOf, tlsOf } from '../credentials.js'

export interface Answer {
  readonly status: number
  readonly retryAfter: string | readonly string[] | undefined
  readonly body: Buffer
}

export interface ElasticsearchClient {
  /** POST /<index>/_bulk. Rejects without an answer. `full` asks for the reasons of what was refused. */
  bulk(index: string, body: Buffer, full: boolean, signal: AbortSignal): Promise<Answer>
  /** Any other request, JSON in and out. */
  request(method: 'GET' | 'PUT', path: string, body: object | undefined, signal: AbortSignal): Promise<Answer>
  close(): Promise<void>
}

const gzipAsync = promisify(gzip)
/** 184 bytes a document in full, 26 with the filter: more than this is no answer to a bulk. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024
const BRIEF = 'errors,items.*.status'
const REASONS = `${BRIEF},items.*.error.type,items.*.error.reason,items.*.error.caused_by.type,items.*.error.caused_by.reason`

/** Throws `config.*` for unreadable secrets. */
export function createElasticsearchClient(name: string, options: ElasticsearchOptions): ElasticsearchClient {
  const apiKey = secretOf(`backends.${name}.api_key`, options.api_key, options.api_key_file)
  const authorization = apiKey === undefined ? basicAuth(name, options) : `ApiKey ${apiKey}`
  const client = new Client({
    node: options.url,
    tls: tlsOf(name, options),
    headers: { 'accept-encoding': 'gzip', ...(authorization === undefined ? {} : { authorization }) },
    maxRetries: 0,
    // The signal is the limit; this one only guards against a signal that is lost.
    requestTimeout: options.timeout + 10_000,
    // The default walks the whole body on any error and blocks the thread for seconds.
    redaction: { type: 'off' },
    agent: { connections: options.concurrency_max + 1 },
  })
  // In a data stream a document can be diverted to the failure store and still answer 201.
  const diverted = options.data_stream ? ',items.*.failure_store' : ''

  /** `asStream`: the transport would parse every answer, which alone costs as much as the encoding. */
  async function exchange(
    params: Parameters<typeof client.transport.request>[0],
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<Answer> {
    const {
      statusCode,
      body,
      headers: answerHeaders,
    } = await client.transport.request<AsyncIterable<Buffer>>(params, {
      meta: true,
      asStream: true,
      maxRetries: 0,
      signal,
      headers,
    })
    const bytes = await readBody(body)
    const gzipped = /gzip/.test(String(answerHeaders['content-encoding'] ?? ''))
    return {
      status: statusCode,
      retryAfter: headerOf(answerHeaders['retry-after']),
      body: gzipped ? unzip(bytes) : bytes,
    }
  }

  return {
    async bulk(index, body, full, signal) {
      const params = {
        method: 'POST',
        path: `/${encodeURIComponent(index)}/_bulk`,
        querystring: { filter_path: (full ? REASONS : BRIEF) + diverted },
        bulkBody: options.gzip ? await gzipAsync(body, { level: 1 }) : body,
      }
      return exchange(params, options.gzip ? { 'content-encoding': 'gzip' } : {}, signal)
    },
    request: (method, path, body, signal) =>
      exchange({ method, path, ...(body === undefined ? {} : { body }) }, {}, signal),
    close: () => client.close(),
  }
}

async function readBody(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > ANSWER_BYTES_MAX)
      throw new MillraceError('elasticsearch.answer', `an answer of over ${ANSWER_BYTES_MAX} bytes`)
    chunks.push(chunk)
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes)
}

/** In this thread: the answer is a few KB of one repeated item, and a trip through the thread pool costs more than to unpack it. */
function unzip(bytes: Buffer): Buffer {
  return gunzipSync(bytes, { maxOutputLength: ANSWER_BYTES_MAX, chunkSize: 256 * 1024 })
}

function headerOf(value: unknown): string | readonly string[] | undefined {
  return typeof value === 'string' ? value : Array.isArray(value) ? value.map(String) : undefined
}
