// Dead letters through a real nats-server: out of the folder only when the stream has them, once each, and from there into real backends.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from 'nats'
import { nanoid } from 'nanoid'
import type { NodeStatus } from '../../protocol/status.js'
import { DEAD_LETTERS_STREAM } from '../../protocol/subjects.js'
import { createDeadLetters, type DeadLetter } from '../../runtime/dead-letters.js'
import { letterFigures } from '../../runtime/letter-store.js'
import { type Desk, openDesk } from '../node/desk.js'
import { canonicalLine, frameId } from '../writers/frames.js'
import { cleanLater, ownServer, until } from './fleet.js'
import { esCount, esDeleteIndices, esRefresh } from './servers/es-query.js'
import { serverUrl } from './servers/settings.js'

const nowMs = Date.now()
/** The real Loki keeps what other runs have put there. */
const run = nanoid()

interface Scene {
  readonly desk: Desk
  readonly root: string
  readonly url: string
  readonly cluster: string
}

/** A node that reads a log and writes to the real servers; its own stream may hold so many bytes. */
function scene(url: string, streams = '', nodes: readonly string[] = ['a']): Scene {
  const desk = openDesk()
  cleanLater(() => desk.remove())
  const cluster = `dlq-${nanoid(8)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, 'x')}`
  cleanLater(() => esDeleteIndices(serverUrl('es'), `${cluster}-*`))
  for (const name of nodes)
    desk.write(
      `${name}.yaml`,
      `node: { id: ${name}, cluster_id: ${cluster}, data_dir: ./data-${name} }
http: { listen: 127.0.0.1:0 }
sources: { app: { type: file, include: [logs/*.log], poll: 50ms, fields: { service_name: cart, namespace: shop } } }
records: { batch_age_max: 50ms }
backends:
  es: { type: elasticsearch, url: "${serverUrl('es')}", index: "${cluster}-%Y" }
  loki: { type: loki, url: "${serverUrl('loki')}", batch_age_max: 100ms }
nats: { servers: ["${url}"], retry: { initial: 50ms, max: 500ms }${streams} }
audit: { enabled: false }
`,
    )
  return { desk, root: join(desk.folder, 'data-a', 'dlq'), url, cluster }
}

const letterOf = (n: number, more: Partial<DeadLetter> = {}): DeadLetter => ({
  backend: n % 2 === 0 ? 'es' : 'loki',
  reason: 'mapping',
  time: new Date(nowMs).toISOString(),
  tries: 1,
  frame: frameId(Math.floor(n / 100)),
  n: n % 100,
  record: canonicalLine({ tsNs: BigInt(nowMs) * 1_000_000n + BigInt(n), message: `letter ${n} ${run}` }),
  ...more,
})

async function bury(root: string, letters: readonly DeadLetter[], fileBytesMax = 64 * 1024): Promise<void> {
  for (const backend of ['es', 'loki']) {
    const store = createDeadLetters({ folder: join(root, backend), fileBytesMax })
    const own = letters.filter((letter) => letter.backend === backend)
    for (let at = 0; at < own.length; at += 100) await store.put(own.slice(at, at + 100))
    await store.close()
  }
}

interface Listed {
  readonly found: number
  readonly letters: readonly { readonly in: string; readonly node: string; readonly reason: string }[]
}

async function list(desk: Desk, ...args: readonly string[]): Promise<Listed> {
  const { code, stdout, stderr } = await desk.run('dlq', 'list', '--json', '-c', 'a.yaml', ...args)
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as Listed
}

async function messages(url: string): Promise<number> {
  const connection = await connect({ servers: url })
  try {
    return (await (await jetstreamManager(connection)).streams.info(DEAD_LETTERS_STREAM)).state.messages
  } finally {
    await connection.close()
  }
}

const inFolder = async (root: string): Promise<number> =>
  [...(await letterFigures(root)).values()].reduce((sum, { letters }) => sum + letters, 0)

const folderEmpty = (root: string) =>
  until('the folder is empty', async () => ((await inFolder(root)) === 0 ? true : undefined))

async function degraded(desk: Desk, pattern: RegExp): Promise<void> {
  await until(`degraded: ${pattern}`, async () => {
    const { stdout } = await desk.run('ctl', 'status', '--json', '-c', 'a.yaml')
    const status = JSON.parse(stdout) as NodeStatus
    assert.equal(status.ready, true)
    return status.degraded.some((what) => pattern.test(what)) ? true : undefined
  })
}

test('letters leave the folder for the stream and are sent again from there into Elasticsearch and Loki', async () => {
  // Messages are small here: a long record goes in pieces.
  const server = await ownServer('max_payload: 262144')
  const { desk, root, url, cluster } = scene(server.url)
  const long = canonicalLine({
    tsNs: BigInt(nowMs) * 1_000_000n,
    message: 'x'.repeat(200_000),
    more: `,"y":"${'z'.repeat(150_000)}"`,
  })
  const letters = Array.from({ length: 600 }, (_, n) => letterOf(n))
  await bury(root, [...letters, letterOf(10_000, { record: long, reason: 'too_large' })])
  // What no store has for long: the real Loki refuses it.
  desk.write('logs/old.log', '{"level":"info","ts":"2015-01-01T00:00:00Z","msg":"old"}\n')
  const node = desk.start('run', '-c', 'a.yaml')
  await node.address()
  await until('the refused record is in the stream', async () =>
    (await list(desk, '--reason', 'too_old')).letters[0]?.in === 'stream' ? true : undefined,
  )
  await folderEmpty(root)
  assert.deepEqual(readdirSync(join(root, 'es')).filter((name) => name.endsWith('.ndjson')).length, 1)
  const all = await list(desk, '--limit', '5000')
  assert.equal(all.found, 602)
  assert.ok(all.letters.every((one) => one.in === 'stream' && one.node === 'a'))
  const shown = await desk.run('dlq', 'show', `${frameId(100)}-0`, '--json', '-c', 'a.yaml')
  assert.equal((JSON.parse(shown.stdout) as DeadLetter).record, long)
  const told = await desk.run('dlq', 'redrive', '--reason', 'mapping', '--json', '-c', 'a.yaml')
  assert.equal(told.code, 0, told.stderr)
  assert.equal((JSON.parse(told.stdout) as { sent: number }).sent, 600)
  await esRefresh(serverUrl('es'), `${cluster}-*`)
  assert.equal(await esCount(serverUrl('es'), `${cluster}-*`, { prefix: { batch_id: 'frame_' } }), 300)
  assert.equal((await list(desk)).found, 2)
  const again = await desk.run('dlq', 'redrive', '--reason', 'mapping', '--json', '-c', 'a.yaml')
  assert.equal((JSON.parse(again.stdout) as { sent: number }).sent, 0)
  await desk.run('dlq', 'purge', '--all', '--yes', '-c', 'a.yaml')
  assert.equal((await list(desk)).found, 0)
  assert.equal(await messages(url), 0, 'pieces go with their letter')
  assert.equal(await lokiLinesOf(), 300)
  node.child.kill('SIGTERM')
  assert.equal((await node.ended).code, 0)
})

async function lokiLinesOf(): Promise<number> {
  const query = encodeURIComponent(`sum(count_over_time({service_name="cart"} |= "${run}" [1h]))`)
  const response = await fetch(`${serverUrl('loki')}/loki/api/v1/query?query=${query}`)
  const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } }
  return Number(data.result[0]?.value[1] ?? 0)
}

test('a node and a server that are killed in between lose no letter and make no copy', async () => {
  const server = await ownServer()
  const { desk, root, url } = scene(server.url)
  const letters = Array.from({ length: 20_000 }, (_, n) => letterOf(n))
  await bury(root, letters, 256 * 1024)
  for (let kills = 0; kills < 4; kills++) {
    const before = await inFolder(root)
    const node = desk.start('run', '-c', 'a.yaml')
    await until('some are out', async () => ((await inFolder(root)) < before ? true : undefined))
    if (kills % 2 === 1) await server.kill()
    await sleep(50)
    node.child.kill('SIGKILL')
    await node.ended
    if (kills % 2 === 1) await server.start()
    if ((await inFolder(root)) === 0) break
  }
  const node = desk.start('run', '-c', 'a.yaml')
  await node.address()
  await folderEmpty(root)
  assert.equal(await messages(url), letters.length)
  assert.equal((await list(desk)).found, letters.length)
  node.child.kill('SIGTERM')
  assert.equal((await node.ended).code, 0)
})

test('a full stream leaves letters in the folder; what is purged makes room', async () => {
  const server = await ownServer()
  const { desk, root, url } = scene(server.url, ', streams: { dead_letters_bytes_max: 1MiB }')
  const letters = Array.from({ length: 6000 }, (_, n) => letterOf(n))
  await bury(root, letters)
  const node = desk.start('run', '-c', 'a.yaml')
  await node.address()
  await degraded(desk, /stream MILLRACE_DLQ is full/)
  const held = await messages(url)
  assert.ok(held > 1000 && held < letters.length, String(held))
  assert.equal((await list(desk)).found, letters.length, 'each is listed once, wherever it lies')
  // Taken out of both while the node goes on.
  await desk.run('dlq', 'purge', '--backend', 'es', '--yes', '-c', 'a.yaml')
  assert.equal((await list(desk)).found, letters.length / 2)
  await desk.run('dlq', 'purge', '--backend', 'loki', '--from', 'stream', '--yes', '-c', 'a.yaml')
  await until('room is found', async () => ((await inFolder(root)) < letters.length / 2 ? true : undefined))
  await server.kill()
  await degraded(desk, /dead letters stay in the folder/)
  const away = await desk.run('dlq', 'list', '--json', '-c', 'a.yaml')
  assert.equal(away.code, 1)
  assert.match(away.stderr, /without the letters in NATS/)
  await server.start()
  node.child.kill('SIGTERM')
  assert.equal((await node.ended).code, 0)
})
