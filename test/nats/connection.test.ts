// Guards what a node says of a NATS that it can not use, and that it tries for ever: servers made of a few lines of the protocol.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import type { NatsConnection } from 'nats'
import { connectNats, isOlder } from '../../runtime/nats/connection.js'
import { keepLinked, type LinkState } from '../../runtime/nats/link.js'
import { compare } from '../../runtime/nats/streams.js'
import { declareStreams } from '../../runtime/nats/declarations.js'
import { nats as natsSchema } from '../../protocol/config/nats.js'
import { systemClock } from '../../runtime/clock.js'
import type { StreamConfig } from '@nats-io/jetstream'

interface FakeNats {
  readonly url: string
  close(): Promise<void>
}

/** Greets with INFO and answers PING with what it is told: https://docs.nats.io/reference/reference-protocols/nats-protocol */
function fakeNats(info: object, pong: string): Promise<FakeNats> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
    const base = { server_id: 'S', version: '2.11.0', proto: 1, headers: true, max_payload: 1_048_576 }
    socket.write(`INFO ${JSON.stringify({ ...base, ...info })}\r\n`)
    socket.on('data', (bytes) => {
      if (String(bytes).includes('PING')) socket.write(pong)
    })
  })
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' ? address?.port : 0
      resolve({
        url: `nats://127.0.0.1:${port}`,
        close: () =>
          new Promise((closed) => {
            for (const socket of sockets) socket.destroy()
            server.close(() => closed())
          }),
      })
    }),
  )
}

const PONG = 'PONG\r\n'
const options = (url: string, more: object = {}) => ({ servers: [url], connect_timeout: 2000, ...more })

async function refusal(
  info: object,
  pong: string,
  more: object = {},
): Promise<{ code: string; message: string }> {
  const server = await fakeNats(info, pong)
  try {
    const connection = await connectNats(options(server.url, more), 'test')
    await connection.close()
    return { code: 'none', message: '' }
  } catch (error) {
    return error as { code: string; message: string }
  } finally {
    await server.close()
  }
}

test('a server that is too old, or takes too little, is refused by name and number', async () => {
  const old = await refusal({ version: '2.9.22' }, PONG)
  assert.equal(old.code, 'nats.version')
  assert.match(old.message, /is version 2\.9\.22, and 2\.10\.0 or newer is needed/)
  const small = await refusal({ max_payload: 65_536 }, PONG)
  assert.equal(small.code, 'nats.payload')
  assert.match(small.message, /messages of up to 65536 bytes, and 262144 are needed; raise max_payload/)
  assert.equal((await refusal({}, PONG)).code, 'none')
})

test('wrong credentials are told without the secret', async () => {
  const said = "-ERR 'Authorization Violation'\r\n"
  const token = await refusal({ auth_required: true }, said, { token: 'hush-hush' })
  assert.equal(token.code, 'nats.credentials')
  assert.match(token.message, /refuses the token \(Authorization Violation\); correct them/)
  assert.doesNotMatch(token.message, /hush/)
  const user = await refusal({ auth_required: true }, said, { username: 'ann', password: 'hush-hush' })
  assert.match(user.message, /refuses user ann and the password/)
  assert.doesNotMatch(user.message, /hush/)
})

test('files of credentials that are missing or hold something else are named', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-nats-'))
  const file = path.join(folder, 'seed')
  writeFileSync(file, 'not a seed\n')
  const nkey = await refusal({ auth_required: true, nonce: 'abc' }, PONG, { nkey_file: file })
  assert.equal(nkey.code, 'config.nats_credentials')
  assert.match(nkey.message, /nats\.nkey_file: .*seed holds no key/)
  const creds = await refusal({}, PONG, { creds_file: path.join(folder, 'none') })
  assert.equal(creds.code, 'config.secret_file')
  assert.match(creds.message, /nats\.creds_file: .*none can not be read \(ENOENT\)/)
  rmSync(folder, { recursive: true })
})

test('nobody there, and somebody who is no NATS', async () => {
  const closed = await fakeNats({}, PONG)
  await closed.close()
  await assert.rejects(connectNats(options(closed.url), 'test'), {
    code: 'nats.unreachable',
    message: /can not be reached \(ECONNREFUSED\); start it, or correct nats\.servers/,
  })
  await assert.rejects(
    connectNats({ ...options(closed.url), connect_timeout: 300, servers: [closed.url] }, 'test'),
  )
  const mute = await refusal({}, '', { connect_timeout: 200 })
  assert.equal(mute.code, 'nats.unreachable')
})

test('a version is older by its numbers, not by its text', () => {
  const older = (version: string) => isOlder(version, '2.10.0')
  assert.deepEqual(['2.9.25', '2.10.0', '2.10.0-beta', '2.11.3', '3.0.0', '1.99', ''].map(older), [
    true,
    false,
    false,
    false,
    false,
    true,
    true,
  ])
})

test('a connection that ends is made again, each is set up anew, and every change is told once', async () => {
  const server = await fakeNats({}, PONG)
  const states: LinkState[] = []
  const setUps: NatsConnection[] = []
  let failing = 2
  const enough = new Promise<void>((resolve) => {
    const link = keepLinked({
      connect: () => {
        if (failing-- > 0) return Promise.reject(new Error('no route'))
        return connectNats(options(server.url), 'test')
      },
      async setUp(connection) {
        setUps.push(connection)
        // The first one's set-up fails: its connection may not linger.
        if (setUps.length === 1) throw new Error('no permission')
      },
      changed(state) {
        states.push(state)
        if (!state.up) return
        if (setUps.length < 3) void link.current()?.close()
        else void link.stop().then(resolve)
      },
      complaint: () => undefined,
      retry: { initial: 1, max: 5 },
      clock: systemClock,
      random: () => 0.5,
    })
  })
  await enough
  const said = states.map((state) => (state.up ? 'up' : state.reason.replace(/ NATS .* ended/, ' ended')))
  assert.deepEqual(said, ['no route', 'no permission', 'up', 'the connection to ended', 'up'])
  assert.equal(setUps.length, 3)
  assert.ok(setUps.every((connection) => connection.isClosed()))
  await server.close()
})

test('a stream is as declared whatever the server leaves out, and differs by key and value', () => {
  const parsed = natsSchema.parse({ servers: ['nats://127.0.0.1:4222'] })
  assert.ok(parsed)
  const logs = declareStreams(parsed).find(({ purpose }) => purpose === 'logs')
  assert.ok(logs)
  const found = { ...logs.config, num_replicas: 3, allow_direct: false } as StreamConfig
  assert.deepEqual(compare(logs.config, found, undefined), [])
  const other = { ...found, max_bytes: 1024, max_age: 3_600_000_000_000, storage: 'memory' } as StreamConfig
  assert.deepEqual(compare(logs.config, other, 1), [
    { key: 'storage', declared: 'file', found: 'memory', updatable: false },
    { key: 'max_bytes', declared: '10GiB', found: '1KiB', updatable: true },
    { key: 'max_age', declared: 'unlimited', found: '1h', updatable: true },
    { key: 'num_replicas', declared: '1', found: '3', updatable: true },
  ])
})
