// A proxy before a nats-server whose clients stop taking what the server sends: the server sees a slow consumer.
import { connect, createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'

export interface ChokeProxy {
  readonly url: string
  /** Of each connection that comes, so many bytes pass from the server, then none; undefined: all pass, also on those that were stopped. */
  stopAfter(bytes: number | undefined): void
  close(): Promise<void>
}

export async function startChoke(target: string): Promise<ChokeProxy> {
  const { hostname, port } = new URL(target)
  let most: number | undefined
  const stopped = new Set<Socket>()
  const sockets = new Set<Socket>()
  const proxy = createServer((client) => {
    const server = connect(Number(port), hostname)
    let passed = 0
    client.pipe(server)
    server.on('data', (bytes) => {
      passed += bytes.length
      client.write(bytes)
      if (most === undefined || passed < most) return
      // Nothing is read any more: what the server sends fills the kernel's buffers, then waits in the server.
      server.pause()
      stopped.add(server)
    })
    server.on('end', () => client.end())
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        stopped.delete(socket)
        client.destroy()
        server.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  return {
    url: `nats://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    stopAfter(bytes) {
      most = bytes
      if (bytes === undefined) for (const socket of stopped) socket.resume()
    },
    close: () =>
      new Promise((resolve) => {
        proxy.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}
