// A sink that answers as Elasticsearch does, item by item, and only counts: two lines a document, so half as many as newlines.
import type { IncomingMessage } from 'node:http'
import { gzipSync } from 'node:zlib'
import type { Body, SinkAnswer, SinkProtocol } from './http.js'

const NEWLINE = 0x0a
const PRODUCT = { 'X-Elastic-Product': 'Elasticsearch' }
const JSON_HEADERS = { ...PRODUCT, 'content-type': 'application/json' }
const INFO = {
  name: 'sink',
  cluster_name: 'millrace-bench',
  version: { number: '8.19.21', build_flavor: 'default', lucene_version: '9.12.2' },
  tagline: 'You Know, for Search',
}
/** What the real server says of a document unless it is asked for less. */
const FULL_ITEM =
  '"_index":"logs-2026-01-01","_id":"0123456789abcdefghijk-0000","_version":1,"result":"created","_shards":{"total":2,"successful":1,"failed":0},"_seq_no":0,"_primary_term":1,"status":201'
const ANSWERS_MAX = 256

export function elasticsearchProtocol(): SinkProtocol {
  const answers = new Map<string, Buffer>()

  /** Bulks of one size come again and again; the answers are kept so that the sink's own work stays small. */
  function itemsAnswer(records: number, body: Body, request: IncomingMessage): SinkAnswer {
    const verb = body.chunks[0]?.subarray(0, 3).toString() === '{"i' ? 'index' : 'create'
    const brief = (request.url ?? '').includes('filter_path=errors')
    const gzip = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))
    const key = `${verb} ${brief} ${gzip} ${records}`
    let bytes = answers.get(key)
    if (bytes === undefined) {
      const item = `{"${verb}":{${brief ? '"status":201' : FULL_ITEM}}},`
      const head = brief ? '{"errors":false,"items":[' : '{"took":1,"errors":false,"items":['
      const text = Buffer.from(`${head}${item.repeat(records).slice(0, -1)}]}`)
      bytes = gzip ? gzipSync(text, { level: 1 }) : text
      if (answers.size >= ANSWERS_MAX) answers.clear()
      answers.set(key, bytes)
    }
    return {
      status: 200,
      body: bytes,
      headers: gzip ? { ...JSON_HEADERS, 'content-encoding': 'gzip' } : JSON_HEADERS,
    }
  }

  return {
    isWrite: (path) => path.endsWith('/_bulk'),
    count(body) {
      const lines = body.chunks.reduce((sum, chunk) => sum + newlines(chunk), 0)
      if (lines % 2 !== 0 || body.chunks.at(-1)?.at(-1) !== NEWLINE)
        throw new Error('a bulk has two lines a document and ends with a newline')
      return lines / 2
    },
    plain: ({ chunks, bytes }) => Buffer.concat(chunks, bytes),
    stored: itemsAnswer,
    refused: jsonAnswer(429, { error: { type: 'es_rejected_execution_exception' }, status: 429 }),
    other: ({ method, url }) =>
      method === 'GET' && url !== '/'
        ? jsonAnswer(404, {})
        : jsonAnswer(200, { ...INFO, acknowledged: true }),
  }
}

/** Buffer.indexOf is memchr: four times as fast as a loop over the bytes. */
function newlines(chunk: Buffer): number {
  let count = 0
  for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) count++
  return count
}

function jsonAnswer(status: number, value: object): SinkAnswer {
  return { status, body: Buffer.from(JSON.stringify(value)), headers: JSON_HEADERS }
}
