// The HTTP server under both stand-ins: reads a request, lets the faults loose on it, sends the answer.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync, gzipSync } from 'node:zlib'
import { createFaultSwitch, type Faults } from './faults.js'

export type Request = {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  readonly faults: Faults
}

export type Answer = {
  readonly status: number
  readonly body?: string | Buffer
  readonly headers?: Readonly<Record<string, string>>
  /** The body already gzipped, if the caller keeps it. */
  readonly gzipped?: Buffer
}

export type HttpStandIn = {
  readonly url: string
  setFaults(faults?: Faults): void
  close(): Promise<void>
}

export type HttpStandInOptions = {
  readonly port?: number
  readonly host?: string
  readonly faults?: Faults
  /** Sent with every answer, save a fault's. */
  readonly headers: Readonly<Record<string, string>>
  readonly bodyBytesMax: number
  isWrite(path: string): boolean
  handle(request: Request): Answer
}

export async function startHttpStandIn(options: HttpStandInOptions): Promise<HttpStandIn> {
  const faultSwitch = createFaultSwitch(options.faults)
  const server = createServer({ keepAliveTimeout: 120_000, requestTimeout: 0 }, (incoming, response) => {
    const url = new URL(incoming.url ?? '/', 'http://stand-in')
    const faults = faultSwitch.next(options.isWrite(url.pathname))
    serve(incoming, response, url, faults, options).catch((error: unknown) => {
      if (!response.headersSent)
        send(response, incoming, { status: 500, body: String(error) }, options.headers)
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve)
  })
  const address = server.address() as AddressInfo
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return {
    url: `http://${host}:${address.port}`,
    setFaults: (faults) => faultSwitch.set(faults),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function serve(
  incoming: IncomingMessage,
  response: ServerResponse,
  url: URL,
  faults: Faults,
  options: HttpStandInOptions,
): Promise<void> {
  const body = await readBody(incoming, options.bodyBytesMax)
  if (faults.delayMs !== undefined) await sleep(faults.delayMs)
  const replaced = faults.status !== undefined || faults.hang === true || faults.reset === true
  let answer: Answer = { status: 413 }
  if (body !== undefined && (!replaced || faults.stored === true)) {
    const { method = 'GET', headers } = incoming
    answer = options.handle({ method, path: url.pathname, query: url.searchParams, headers, body, faults })
  }
  if (faults.hang === true) return
  if (faults.reset === true) incoming.socket.resetAndDestroy()
  else if (faults.status !== undefined) sendFault(response, faults.status, faults)
  else if (faults.halfAnswer === true) sendHalf(response, answer, options.headers)
  else if (body === undefined) sendFault(response, 413, {})
  else send(response, incoming, answer, options.headers)
}

/** Undefined where the body is over the limit (it is read to its end, so that the client gets its answer). */
async function readBody(incoming: IncomingMessage, bytesMax: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes <= bytesMax) chunks.push(chunk)
  }
  if (bytes > bytesMax) return undefined
  const whole = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, bytes)
  return incoming.headers['content-encoding'] === 'gzip' ? gunzipSync(whole) : whole
}

/** What a proxy in front of the server says: no product header, no JSON unless the fault brings it. */
function sendFault(response: ServerResponse, status: number, faults: Faults): void {
  response.writeHead(status, { ...faults.headers })
  response.end(faults.body ?? '')
}

function send(
  response: ServerResponse,
  incoming: IncomingMessage,
  answer: Answer,
  headers: Readonly<Record<string, string>>,
): void {
  const body = answer.body ?? ''
  const gzip = body.length > 0 && /\bgzip\b/.test(String(incoming.headers['accept-encoding'] ?? ''))
  const bytes = gzip ? (answer.gzipped ?? gzipSync(body, { level: 1 })) : Buffer.from(body)
  const length = answer.status === 204 ? {} : { 'content-length': String(bytes.length) }
  const encoding = gzip ? { 'content-encoding': 'gzip' } : {}
  response.writeHead(answer.status, { ...headers, ...answer.headers, ...encoding, ...length })
  response.end(incoming.method === 'HEAD' || answer.status === 204 ? undefined : bytes)
}

function sendHalf(response: ServerResponse, answer: Answer, headers: Readonly<Record<string, string>>): void {
  const bytes = Buffer.from(answer.body ?? '')
  const length = Math.max(bytes.length, 2)
  response.writeHead(answer.status === 204 ? 200 : answer.status, {
    ...headers,
    ...answer.headers,
    'content-length': String(length),
  })
  response.write(bytes.subarray(0, length >> 1), () => response.destroy())
}
