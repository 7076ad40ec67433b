// Guards the moment between the end of a connection and the word of it: what is said in it is lost, and takes no thread with it.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { NatsConnection } from 'nats'
import { createControlService } from '../../actors/control/service.js'
import { trafficWiring } from '../../actors/control/traffic-wiring.js'
import { controlSubject } from '../../protocol/subjects.js'
import { systemClock } from '../../runtime/clock.js'
import { connectNats } from '../../runtime/nats/connection.js'

const NODE = { id: 'n1', clusterId: 'c' }

/** A server that asks the node for its status as soon as the node has subscribed to that. */
async function onConnection(run: (connection: NatsConnection) => Promise<void>): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.write(
      `INFO ${JSON.stringify({ server_id: 'S', version: '2.11.0', proto: 1, headers: true, max_payload: 1_048_576 })}\r\n`,
    )
    socket.on('data', (bytes) => {
      for (const line of String(bytes).split('\r\n')) {
        if (line === 'PING') socket.write('PONG\r\n')
        const [verb, subject, ...rest] = line.split(' ')
        if (verb === 'SUB' && subject === controlSubject(NODE.id, 'status'))
          socket.write(`MSG ${subject} ${rest.at(-1)} reply.here 2\r\n{}\r\n`)
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `nats://127.0.0.1:${(server.address() as AddressInfo).port}`
  const connection = await connectNats({ servers: [url], connect_timeout: 2000 }, 'test')
  try {
    await run(connection)
  } finally {
    await connection.close()
    await new Promise((resolve) => server.close(resolve))
  }
}

test('a verb that is answered after the connection ended', () =>
  onConnection(async (connection) => {
    let told: (id: number) => void = () => undefined
    const asked = new Promise<number>((resolve) => (told = resolve))
    const service = createControlService({
      node: NODE,
      version: '1.0.0',
      clock: systemClock,
      ask: (id) => told(id),
      cancel: () => undefined,
      refused: () => undefined,
    })
    await service.attach(connection)
    const id = await asked
    await connection.close()
    service.answer(id, { ok: true, result: {} })
    service.lines(id, 'a line\n')
    service.detach()
  }))

test('counts that are said, and a sum that is begun or left, after the connection ended', () =>
  onConnection(async (connection) => {
    const nothing = () => undefined
    const port = trafficWiring(connection, NODE, { onSum: nothing, onAsked: nothing, onCounts: nothing })
    const unlisten = port.listen()
    await connection.close()
    port.counts(new Uint8Array(1))
    port.askAll()
    unlisten()
    port.listen()()
    assert.ok(connection.isClosed())
  }))
