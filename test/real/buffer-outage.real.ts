// Something on the way through JetStream is away: the server, room in its stream, a backend, the leader of three. Nothing is lost, nothing held up.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp, createServer } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from 'nats'
import { LOGS_STREAM } from '../../protocol/subjects.js'
import {
  BACKEND,
  buffered,
  degraded,
  demand,
  empty,
  ended,
  RECORDS,
  started,
  writeAll,
} from './buffer-kit.js'
import { cleanLater, ownServer, until } from './fleet.js'
import { freePort, startNatsCluster } from './servers/own-nats.js'
import { serverUrl } from './servers/settings.js'

const LEADERS_OF_CONSUMERS = ['es', 'loki'].map((name) => `CONSUMER.LEADER.STEPDOWN.${LOGS_STREAM}.${name}`)
const AWAY_MS = Number(process.env.MILLRACE_NATS_AWAY_MS ?? 6000)

test('NATS is away: the agent reads and journals on, says why, and all is delivered when it is back', {
  timeout: 600_000 + AWAY_MS,
}, async (t) => {
  const own = await ownServer()
  const { scenario, corpus } = buffered(t, [own.url])
  const agent = started(t, scenario, 'a')
  const writer = started(t, scenario, 'w')
  corpus.write(RECORDS / 4)
  await until('the first are delivered', async () =>
    (await scenario.status(writer)).backends['loki']?.writtenRecords === RECORDS / 4 ? true : undefined,
  )
  await own.kill()
  const away = await degraded(scenario, agent, /^publisher: .*frames wait in the journal/)
  const steps = 10
  for (let n = 0; n < steps; n++) {
    corpus.write(RECORDS / 20)
    await sleep(AWAY_MS / steps)
  }
  const read = await until('all is read and kept', async () => {
    const status = await scenario.status(agent)
    return status.counters.keptRecords >= (RECORDS * 3) / 4 ? status : undefined
  })
  assert.ok(read.journal.tailSeq > away.journal.tailSeq, 'the journal goes on')
  assert.ok(Number(read.actors['journal']?.detail['lag.@jetstream']) > 0, 'frames wait in it')
  await degraded(scenario, agent, /^control: .*NATS.*sampling follows this node's own counts/)
  await degraded(scenario, writer, /^buffer\.es: .*frames wait in JetStream/)
  await own.start()
  writeAll(corpus)
  await until('all is delivered', async () => {
    const { backends, degraded: left } = await scenario.status(writer)
    const isAll = Object.values(backends).every(({ writtenRecords }) => writtenRecords >= RECORDS)
    return isAll && left.length === 0 ? true : undefined
  })
  // What waited for NATS beside the frames (a capture, say) is tried again in its own time.
  await until('the agent lacks nothing', async () =>
    (await scenario.status(agent)).degraded.length === 0 ? true : undefined,
  )
  await empty(own.url)
  await ended(agent)
  await ended(writer)
  await demand(scenario, corpus)
})

test('a full stream refuses, the journal keeps, nothing is lost', { timeout: 600_000 }, async (t) => {
  const own = await ownServer()
  const small = { nats: 'streams: { logs_bytes_max: 1MiB }' }
  const { scenario, corpus } = buffered(t, [own.url], small, RECORDS * 4)
  writeAll(corpus)
  const agent = started(t, scenario, 'a')
  await degraded(scenario, agent, /MILLRACE_LOGS is full .*frames wait in the journal.*logs_bytes_max/)
  await ended(agent)
  const writer = started(t, scenario, 'w')
  await scenario.runOnce('a')
  await empty(own.url)
  await ended(writer)
  await demand(scenario, corpus)
})

test('a backend that is down does not hold up the other, and has all when it is back', {
  timeout: 600_000,
}, async (t) => {
  const own = await ownServer()
  const port = await freePort()
  const { scenario, corpus } = buffered(t, [own.url], {
    esUrl: `http://127.0.0.1:${port}`,
    buffer: 'ack_wait: 1s',
    backend: `${BACKEND}, retry: { initial: 50ms, max: 500ms }`,
  })
  writeAll(corpus)
  const writer = started(t, scenario, 'w')
  await scenario.runOnce('a')
  const status = await until('Loki has all', async () => {
    const found = await scenario.status(writer)
    return found.backends['loki']?.writtenRecords === RECORDS ? found : undefined
  })
  assert.equal(status.backends['es']?.writtenRecords, 0)
  const { hostname, port: esPort } = new URL(serverUrl('es'))
  const way = createServer((socket) => {
    const onward = connectTcp(Number(esPort), hostname)
    socket.pipe(onward).pipe(socket)
    for (const each of [socket, onward]) each.on('error', () => each.destroy())
  })
  way.listen(port, '127.0.0.1')
  await once(way, 'listening')
  cleanLater(() => way.close())
  await empty(own.url)
  await ended(writer)
  await demand(scenario, corpus)
})

test('a cluster of three loses the leader of its stream, twice, and leaders step down: each record once in both', {
  timeout: 600_000,
}, async (t) => {
  const servers = await startNatsCluster()
  for (const each of servers) cleanLater(() => each.remove())
  const natsUrls = servers.map(({ url }) => url)
  const options = { writers: ['v', 'w'], buffer: 'ack_wait: 3s' }
  const { scenario, corpus } = buffered(t, natsUrls, options, RECORDS * 3)
  const nodes = ['a', 'v', 'w'].map((name) => started(t, scenario, name))
  const connection = await connect({ servers: natsUrls })
  const leader = () =>
    until('the stream has a leader', async () => {
      const { cluster } = await (await jetstreamManager(connection)).streams.info(LOGS_STREAM)
      return servers[Number(cluster?.leader?.slice(1) ?? -1)]
    })
  for (let n = 0; n < 2; n++) {
    for (let step = 0; step < 20; step++) {
      corpus.write(RECORDS / 20)
      await sleep(20)
    }
    const server = await leader()
    await server.kill()
    corpus.write(RECORDS / 4)
    await server.start()
  }
  for (const moved of [`STREAM.LEADER.STEPDOWN.${LOGS_STREAM}`, ...LEADERS_OF_CONSUMERS]) {
    corpus.write(RECORDS / 10)
    // Refused while the leader is being elected: then it has moved already.
    await connection.request(`$JS.API.${moved}`, '', { timeout: 5000 }).catch(() => undefined)
    corpus.write(RECORDS / 10)
    await sleep(200)
  }
  writeAll(corpus)
  await until('all is delivered', async () => {
    const [, v, w] = await Promise.all(nodes.map((node) => scenario.status(node)))
    const written = (name: string) =>
      (v?.backends[name]?.writtenRecords ?? 0) + (w?.backends[name]?.writtenRecords ?? 0)
    return written('es') >= RECORDS * 3 && written('loki') >= RECORDS * 3 ? true : undefined
  })
  // A frame that was handed out twice is written twice: only an empty stream, for longer than a frame takes to come, says that all are.
  await empty(natsUrls, 5000)
  for (const node of nodes) await ended(node)
  await connection.close()
  const { lokiCopies } = await demand(scenario, corpus)
  t.diagnostic(`copies of entries in Loki: ${lokiCopies}`)
})
