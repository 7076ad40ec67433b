// The live tap over HTTP: an endless NDJSON answer of matching records, for loopback clients, bounded in number and memory.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { MillraceError } from '../../protocol/errors.js'
import { compileFilter } from '../../protocol/filter.js'

/** Calls `onLines` with NDJSON text (whole lines) until the signal aborts. `limitPerSecond` bounds what it sends. */
export type TapSource = (
  filter: string,
  limitPerSecond: number,
  onLines: (ndjson: string) => void,
  signal: AbortSignal,
) => void

export interface Taps {
  answer(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): void
  close(): void
}

const TAPS_MAX = 8
const RATE_DEFAULT = 1000
const RATE_MAX = 100_000
/** What may wait for a slow client; beyond it whole pieces are left out and said so in the stream. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024
/** A record may hold anything a container writes: this page belongs to who can log in to the host or the pod. */
const LOOPBACK = /^(?:127\.|::1$|::ffff:127\.)/
const LOCAL_HOST = /^(?:localhost|[\d.]+|\[[0-9a-f:.]+\])(?::\d+)?$/i

/** Query: `filter` (see protocol/filter.ts), `limit` (records, then the answer ends), `rate` (records per second). */
export function createTaps(source: TapSource): Taps {
  const open = new Set<AbortController>()
  function answer(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): void {
    const problem = refusal(request, open.size)
    if (problem !== undefined) return refuse(response, problem.status, problem.message)
    const filter = query.get('filter') ?? ''
    const limit = wholeNumber(query.get('limit'), Number.MAX_SAFE_INTEGER)
    const rate = wholeNumber(query.get('rate'), RATE_DEFAULT)
    if (limit === undefined || rate === undefined || rate > RATE_MAX) {
      return refuse(response, 400, `limit and rate are whole numbers over 0, rate at most ${RATE_MAX}`)
    }
    try {
      compileFilter(filter)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      return refuse(response, 400, error.message)
    }
    const controller = new AbortController()
    open.add(controller)
    response.on('close', () => {
      open.delete(controller)
      controller.abort()
    })
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })
    response.flushHeaders()
    if (request.method === 'HEAD') return void response.end()
    source(filter, rate, stream(response, limit), controller.signal)
  }
  return {
    answer,
    close() {
      for (const controller of open) controller.abort()
      open.clear()
    },
  }
}

function stream(response: ServerResponse, limit: number): (ndjson: string) => void {
  let left = limit
  let dropped = 0
  return (ndjson) => {
    if (left === 0 || response.destroyed) return
    const lines = ndjson
      .split('\n')
      .filter((line) => line !== '')
      .slice(0, left)
    if (response.writableLength > WAITING_BYTES_MAX) return void (dropped += lines.length)
    if (dropped > 0)
      response.write(`{"millrace_tap":{"dropped_records":${dropped},"reason":"slow_client"}}\n`)
    dropped = 0
    left -= lines.length
    response.write(lines.map((line) => `${line}\n`).join(''))
    if (left === 0) response.end()
  }
}

function refusal(request: IncomingMessage, taps: number): { status: number; message: string } | undefined {
  if (!LOOPBACK.test(request.socket.remoteAddress ?? '')) {
    return {
      status: 403,
      message: 'the tap answers loopback clients only; run `millrace tap` on the node, or forward the port',
    }
  }
  // A web page must not read records through the browser of someone who is logged in here (DNS rebinding).
  const { host = '', origin } = request.headers
  if (origin !== undefined || !LOCAL_HOST.test(host))
    return { status: 403, message: 'the tap does not answer web pages' }
  if (taps < TAPS_MAX) return undefined
  return { status: 503, message: `${TAPS_MAX} taps are open already; close one` }
}

function wholeNumber(text: string | null, fallback: number): number | undefined {
  if (text === null || text === '') return fallback
  const value = Number(text)
  return Number.isSafeInteger(value) && value > 0 ? value : undefined
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' })
  response.end(`${message}\n`)
}
