// A server on a real socket that asks a node something as soon as the node has subscribed to that, and keeps what the node says.
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { NatsConnection } from 'nats'
import type { Verb } from '../../protocol/control/verbs.js'
import { controlSubject } from '../../protocol/subjects.js'
import { connectNats } from '../../runtime/nats/connection.js'

export const NODE = { id: 'n1', clusterId: 'c' }

interface Asking {
  readonly verb?: Verb
  readonly maxPayload?: number
}

/** `said`: all bytes that came from the node. */
export async function onConnection(
  { verb = 'status', maxPayload = 1_048_576 }: Asking,
  run: (connection: NatsConnection, said: () => string) => Promise<void>,
): Promise<void> {
  let said = ''
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.write(
      `INFO ${JSON.stringify({ server_id: 'S', version: '2.11.0', proto: 1, headers: true, max_payload: maxPayload })}\r\n`,
    )
    socket.setEncoding('utf8').on('data', (text: string) => {
      said += text
      for (const line of text.split('\r\n')) {
        if (line === 'PING') socket.write('PONG\r\n')
        const [word, subject, ...rest] = line.split(' ')
        if (word === 'SUB' && subject === controlSubject(NODE.id, verb))
          socket.write(`MSG ${subject} ${rest.at(-1)} reply.here 2\r\n{}\r\n`)
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `nats://127.0.0.1:${(server.address() as AddressInfo).port}`
  const connection = await connectNats({ servers: [url], connect_timeout: 2000 }, 'test')
  try {
    await run(connection, () => said)
  } finally {
    await connection.close()
    await new Promise((resolve) => server.close(resolve))
  }
}
