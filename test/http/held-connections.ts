// Connections that only want to be held: each sends the beginning of a header and no more.
import { connect } from 'node:net'
import type { TestContext } from 'node:test'

/** Opens so many, each with this head; a promise each that it was closed. What is open at the end of the test goes with it. */
export function holdConnections(t: TestContext, port: number, count: number, head: string): Promise<void>[] {
  const sockets = Array.from({ length: count }, () => connect(port, '127.0.0.1'))
  t.after(() => sockets.forEach((socket) => socket.destroy()))
  const closed = sockets.map((socket) => new Promise<void>((resolve) => socket.on('close', () => resolve())))
  for (const socket of sockets) {
    socket.on('error', () => undefined).resume()
    socket.write(head)
  }
  return closed
}
