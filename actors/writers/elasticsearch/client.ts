// The way to Elasticsearch: bulks as ready bytes, other requests as JSON. What the answers mean is decided by the callers.
import { promisify } from 'node:util'
import { gunzipSync, gzip } from 'node:zlib'
import type { ElasticsearchOptions } from '../../../protocol/config/backends.js'
import { basicAuth, secretOf, tlsOf } from '../http/credentials.js'
import { createHttpExchange, type HttpRequest } from '../http/exchange.js'

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
/** What a brief answer to a large bulk unpacks to. */
const UNZIP_CHUNK_BYTES = 256 * 1024
const BRIEF = 'errors,items.*.status'
const REASONS = `${BRIEF},items.*.error.type,items.*.error.reason,items.*.error.caused_by.type,items.*.error.caused_by.reason`
/** The media types that tell Elasticsearch 8 and 9 that this client speaks version 8. */
const JSON_8 = 'application/vnd.elasticsearch+json; compatible-with=8'
const NDJSON_8 = 'application/vnd.elasticsearch+x-ndjson; compatible-with=8'

/** Throws `config.*` for unreadable secrets. */
export function createElasticsearchClient(name: string, options: ElasticsearchOptions): ElasticsearchClient {
  const apiKey = secretOf(`backends.${name}.api_key`, options.api_key, options.api_key_file)
  const authorization = apiKey === undefined ? basicAuth(name, options) : `ApiKey ${apiKey}`
  const http = createHttpExchange({
    url: options.url,
    connections: options.concurrency_max + 1,
    timeoutMs: options.timeout,
    tls: tlsOf(name, options),
  })
  const always = {
    accept: JSON_8,
    'accept-encoding': 'gzip',
    ...(authorization === undefined ? {} : { authorization }),
  }
  const bulkHeaders = {
    ...always,
    'content-type': NDJSON_8,
    ...(options.gzip ? { 'content-encoding': 'gzip' } : {}),
  }
  // In a data stream a document can be diverted to the failure store and still answer 201.
  const diverted = options.data_stream ? ',items.*.failure_store' : ''
  const query = (full: boolean) => `filter_path=${encodeURIComponent((full ? REASONS : BRIEF) + diverted)}`
  const [briefQuery, fullQuery] = [query(false), query(true)]

  async function exchange(request: HttpRequest, signal: AbortSignal): Promise<Answer> {
    const { status, header, body } = await http.send(request, signal, ANSWER_BYTES_MAX)
    const gzipped = header('content-encoding') === 'gzip' && body.length > 0
    return { status, retryAfter: header('retry-after'), body: gzipped ? unzip(body) : body }
  }

  return {
    async bulk(index, body, full, signal) {
      const path = `/${encodeURIComponent(index)}/_bulk?${full ? fullQuery : briefQuery}`
      const sent = options.gzip ? await gzipAsync(body, { level: 1 }) : body
      return exchange({ method: 'POST', path, headers: bulkHeaders, body: sent }, signal)
    },
    request(method, path, body, signal) {
      const headers = body === undefined ? always : { ...always, 'content-type': JSON_8 }
      const sent = body === undefined ? null : Buffer.from(JSON.stringify(body))
      return exchange({ method, path, headers, body: sent }, signal)
    },
    close: () => http.close(),
  }
}

/** In this thread: the answer is a few KB of one repeated item, and a trip through the thread pool costs more than to unpack it. */
function unzip(bytes: Buffer): Buffer {
  return gunzipSync(bytes, { maxOutputLength: ANSWER_BYTES_MAX, chunkSize: UNZIP_CHUNK_BYTES })
}
