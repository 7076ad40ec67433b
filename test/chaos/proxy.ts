// A TCP proxy in front of a backend: the network between a node and its backend, slow, dead or cutting connections on request.
import { connect, createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'

/**
 * slow: a trickle in both directions; dead: connections stand, nothing passes; refuse: every connection is reset;
 * cut_answer: an answer ends in its middle; cut_request: a request does.
 */
export const NETWORK_MODES = ['slow', 'dead', 'refuse', 'cut_answer', 'cut_request'] as const
export type NetworkMode = (typeof NETWORK_MODES)[number]

export interface Proxy {
  readonly url: string
  /** Undefined lets everything pass. */
  set(mode: NetworkMode | undefined): void
  close(): Promise<void>
}

const SLOW_PIECE_BYTES = 32 * 1024
const SLOW_EVERY_MS = 40
const ANSWER_LET_THROUGH_BYTES = 40
const REQUEST_LET_THROUGH_BYTES = 10_000

interface Line {
  readonly client: Socket
  readonly server: Socket
  up: number
  down: number
}

export async function startProxy(target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target)
  const lines = new Set<Line>()
  let mode: NetworkMode | undefined
  const server = createServer((client) => {
    if (mode === 'refuse') return void client.resetAndDestroy()
    const line: Line = { client, server: connect(Number(port), hostname), up: 0, down: 0 }
    lines.add(line)
    join(line, () => mode)
    const end = () => {
      lines.delete(line)
      line.client.destroy()
      line.server.destroy()
    }
    for (const socket of [line.client, line.server]) socket.on('error', end).on('close', end)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    set(next) {
      const wasDead = mode === 'dead'
      mode = next
      for (const line of lines) {
        line.up = 0
        line.down = 0
        // What was swallowed by the dead network can not be made up for.
        if (wasDead || next === 'refuse') line.client.resetAndDestroy()
      }
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const { client, server: far } of lines) {
          client.destroy()
          far.destroy()
        }
      }),
  }
}

function join(line: Line, mode: () => NetworkMode | undefined): void {
  const { client, server } = line
  client.on('data', (bytes) => {
    line.up += bytes.length
    if (mode() === 'dead') return
    const over = line.up - REQUEST_LET_THROUGH_BYTES
    if (mode() === 'cut_request' && over > 0) {
      server.end(bytes.subarray(0, Math.max(0, bytes.length - over)))
      return void client.destroy()
    }
    pass(bytes, client, server, mode)
  })
  server.on('data', (bytes) => {
    line.down += bytes.length
    if (mode() === 'dead') return
    if (mode() === 'cut_answer' && line.down > ANSWER_LET_THROUGH_BYTES) {
      client.write(bytes.subarray(0, ANSWER_LET_THROUGH_BYTES), () => client.destroy())
      return void server.destroy()
    }
    pass(bytes, server, client, mode)
  })
  client.on('end', () => server.end())
  server.on('end', () => client.end())
}

/** Pauses the sender until the receiver has taken it, so that the proxy holds little. */
function pass(bytes: Buffer, from: Socket, to: Socket, mode: () => NetworkMode | undefined): void {
  if (mode() !== 'slow') {
    if (!to.write(bytes)) {
      from.pause()
      to.once('drain', () => from.resume())
    }
    return
  }
  from.pause()
  const piece = bytes.subarray(0, SLOW_PIECE_BYTES)
  setTimeout(() => {
    to.write(piece)
    if (piece.length < bytes.length) pass(bytes.subarray(piece.length), from, to, mode)
    else from.resume()
  }, SLOW_EVERY_MS)
}
