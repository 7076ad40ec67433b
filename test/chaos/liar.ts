// A proxy that lies: it answers one bulk or push with success and stores nothing of it. The oracle has to find that.
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Liar {
  readonly url: string
  /** The next write is swallowed. */
  lieOnce(): void
  /** Writes swallowed so far. */
  lies(): number
  close(): Promise<void>
}

export async function startLiar(target: string): Promise<Liar> {
  let armed = false
  let lies = 0
  const server = createServer((incoming, response) => {
    const isWrite = /\/_bulk|\/loki\/api\/v1\/push/.test(incoming.url ?? '')
    if (!armed || !isWrite) return forward(incoming, response, target)
    armed = false
    lies++
    void swallow(incoming, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lieOnce: () => void (armed = true),
    lies: () => lies,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function forward(incoming: IncomingMessage, response: ServerResponse, target: string): void {
  const { method, headers, url = '/' } = incoming
  const onward = request(`${target}${url}`, { ...(method === undefined ? {} : { method }), headers })
  onward.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(response)
  })
  onward.on('error', () => incoming.socket.destroy())
  incoming.pipe(onward)
}

async function swallow(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk)
  if (incoming.url?.includes('/push')) return void response.writeHead(204).end()
  // Two lines a document: the action and the source.
  const lines = Buffer.concat(chunks).toString().split('\n').length - 1
  const items = Array.from({ length: lines / 2 }, () => '{"create":{"status":201}}')
  response.writeHead(200, { 'content-type': 'application/json', 'x-elastic-product': 'Elasticsearch' })
  response.end(`{"errors":false,"items":[${items.join(',')}]}`)
}
