// A proxy before Loki that answers some pushes as stored and throws them away: what no status tells.
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decodePush } from '../stand-ins/push-decode.js'
import { snappyDecode } from '../stand-ins/snappy-decode.js'

export interface SwallowingProxy {
  readonly url: string
  /** The next so many pushes that hold an entry of a stream with this label text in them lose all entries. */
  swallow(label: string, pushes: number): void
  /** Entries thrown away so far. */
  swallowed(): number
  close(): Promise<void>
}

const PUSH_BYTES_MAX = 16 * 1024 * 1024

export async function startSwallowingProxy(target: string): Promise<SwallowingProxy> {
  let wanted = ''
  let left = 0
  let swallowed = 0

  /** Entries that go, 0: the push passes. */
  function loses(body: Buffer): number {
    if (left === 0) return 0
    const streams = decodePush(snappyDecode(body, PUSH_BYTES_MAX))
    if (!streams.some(({ labels }) => labels.includes(wanted))) return 0
    left--
    return streams.reduce((sum, { entries }) => sum + entries.length, 0)
  }

  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const body = Buffer.concat(chunks)
      const lost = incoming.url === '/loki/api/v1/push' ? loses(body) : 0
      if (lost > 0) {
        swallowed += lost
        return outgoing.writeHead(204).end()
      }
      const { method, headers } = incoming
      const on = request(
        new URL(incoming.url ?? '/', target),
        { method: method ?? 'GET', headers },
        (answer) => {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
          answer.pipe(outgoing)
        },
      )
      on.on('error', () => outgoing.destroy())
      on.end(body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    swallow(label, pushes) {
      wanted = label
      left = pushes
    },
    swallowed: () => swallowed,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
