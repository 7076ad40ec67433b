// The server under both sinks: takes bodies as they come, and answers when the gate allows it.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { type Arrivals, sharedNowMs } from './arrivals.js'
import { createGate, type Gate, type Limit } from './limit.js'

export interface SinkStats {
  requests: number
  records: number
  bytes: number
  refused: number
}

export interface SinkAnswer {
  readonly status: number
  readonly body?: Buffer
  readonly headers?: Readonly<Record<string, string>>
}

export interface Body {
  readonly chunks: readonly Buffer[]
  readonly bytes: number
}

export interface SinkProtocol {
  readonly isWrite: (path: string) => boolean
  /** Records in a body; throws for one that is none of this protocol. */
  count(body: Body, request: IncomingMessage): number
  /** Where the records' bytes are, for those who look for them. */
  plain(body: Body, request: IncomingMessage): Uint8Array
  stored(records: number, body: Body, request: IncomingMessage): SinkAnswer
  readonly refused: SinkAnswer
  other(request: IncomingMessage): SinkAnswer
}

export interface Sink {
  readonly url: string
  readonly stats: SinkStats
  limit(limit: Limit | undefined): void
  watch(arrivals: Arrivals | undefined): void
  reset(): void
  close(): Promise<void>
}

export async function startSink(protocol: SinkProtocol): Promise<Sink> {
  const stats: SinkStats = { requests: 0, records: 0, bytes: 0, refused: 0 }
  let gate: Gate = createGate(undefined)
  let arrivals: Arrivals | undefined

  function write(body: Body, request: IncomingMessage, response: ServerResponse): void {
    const records = protocol.count(body, request)
    const waitMs = gate.admit(records, sharedNowMs())
    stats.requests++
    if (waitMs === undefined) {
      stats.refused++
      return answer(response, protocol.refused)
    }
    const done = (): void => {
      stats.records += records
      stats.bytes += body.bytes
      arrivals?.note(protocol.plain(body, request), sharedNowMs())
      answer(response, protocol.stored(records, body, request))
    }
    if (waitMs < 1) done()
    else setTimeout(done, waitMs)
  }

  const server = createServer({ keepAliveTimeout: 120_000, requestTimeout: 0 }, (request, response) => {
    const chunks: Buffer[] = []
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
    })
    request.on('end', () => {
      const [path = '/'] = (request.url ?? '/').split('?')
      if (!protocol.isWrite(path)) return answer(response, protocol.other(request))
      try {
        write(unzipped({ chunks, bytes }, request), request, response)
      } catch (error) {
        answer(response, { status: 400, body: Buffer.from(String(error)) })
      }
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stats,
    limit: (limit) => (gate = createGate(limit)),
    watch: (watched) => (arrivals = watched),
    reset: () => void Object.assign(stats, { requests: 0, records: 0, bytes: 0, refused: 0 }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function unzipped(body: Body, { headers }: IncomingMessage): Body {
  if (headers['content-encoding'] !== 'gzip') return body
  const plain = gunzipSync(Buffer.concat(body.chunks, body.bytes))
  return { chunks: [plain], bytes: plain.length }
}

function answer(response: ServerResponse, { status, body, headers }: SinkAnswer): void {
  const length = status === 204 ? {} : { 'content-length': String(body?.length ?? 0) }
  response.writeHead(status, { ...headers, ...length })
  response.end(status === 204 ? undefined : body)
}
