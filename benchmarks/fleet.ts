// What a fleet costs one nats-server: simulated nodes with their subscriptions, traffic counts, settings' watches and services.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { cpus, loadavg, tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type NatsConnection } from 'nats'
import { createControlService } from '../actors/control/service.js'
import { createTrafficExchange } from '../actors/control/traffic-exchange.js'
import { trafficWiring } from '../actors/control/traffic-wiring.js'
import type { ServiceCount } from '../protocol/traffic/wire.js'
import { SAMPLING_KEY } from '../protocol/subjects.js'
import { systemClock } from '../runtime/clock.js'
import { followedKeys } from '../actors/control/follower.js'
import { type BucketEntry, openConfigBucket } from '../runtime/nats/config-bucket.js'
import { connectNats } from '../runtime/nats/connection.js'
import { declareStreams } from '../runtime/nats/declarations.js'
import { ensureStream, openStreams } from '../runtime/nats/streams.js'
import { nats as natsSchema } from '../protocol/config/nats.js'
import { natsBinary } from '../test/real/servers/nats.js'

const numberOf = (name: string, fallback: number): number => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? fallback : Number(process.argv[at + 1])
}
const NODES = numberOf('nodes', 1000)
const SERVICES = numberOf('services', 500)
const CHANGES = numberOf('changes', 30)
const SECONDS = numberOf('seconds', 10)
/** A summing node is found, and has heard all. */
const SETTLE_MS = 9000
/** Connections may be shared: 1,000 sockets of one process measure the process and not the server. */
const CONNECTIONS = numberOf('connections', Math.min(NODES, 250))

interface Server {
  readonly url: string
  cpuMs(): number
  rssMb(): number
  bytes(): Promise<{
    readonly inBytes: number
    readonly outBytes: number
    readonly inMsgs: number
    readonly outMsgs: number
  }>
  stop(): Promise<void>
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function startServer(): Promise<Server> {
  const [port, monitor] = [await freePort(), await freePort()]
  const store = mkdtempSync(path.join(tmpdir(), 'millrace-fleet-'))
  const args = ['-a', '127.0.0.1', '-p', String(port), '-m', String(monitor), '-js', '-sd', store]
  const child = spawn(natsBinary(), args, { stdio: 'ignore' })
  const exited = new Promise((resolve) => child.on('exit', resolve))
  const stat = () => readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  for (let tries = 0; ; tries++) {
    try {
      await fetch(`http://127.0.0.1:${monitor}/healthz`)
      break
    } catch (error) {
      if (tries > 100) throw error
      await sleep(100)
    }
  }
  return {
    url: `nats://127.0.0.1:${port}`,
    // Fields 14 and 15 of proc(5), in ticks of 10 ms.
    cpuMs: () => (Number(stat()[11]) + Number(stat()[12])) * 10,
    rssMb: () => Math.round((Number(stat()[21]) * 4096) / 1024 / 1024),
    async bytes() {
      const found = (await (
        await fetch(`http://127.0.0.1:${monitor}/varz`, { headers: { connection: 'close' } })
      ).json()) as Record<string, number>
      const {
        in_bytes: inBytes = 0,
        out_bytes: outBytes = 0,
        in_msgs: inMsgs = 0,
        out_msgs: outMsgs = 0,
      } = found
      return { inBytes, outBytes, inMsgs, outMsgs }
    },
    async stop() {
      child.kill('SIGTERM')
      await exited
      rmSync(store, { recursive: true, force: true })
    },
  }
}

/** Some services are busy, most are not, and the busy ones move: as a cluster's do. */
function countsOf(node: number, second: number): ServiceCount[] {
  const counts: ServiceCount[] = []
  for (let service = node % 5; service < SERVICES; service += 5) {
    const base = service % 10 === 0 ? 1000 : service % 3 === 0 ? 20 : 1
    const wobble = 1 + 0.2 * Math.sin(second / 7 + service)
    counts.push({
      namespace: `team-${service % 40}`,
      service: `service-${service}`,
      info: Math.round(base * wobble),
    })
  }
  return counts
}

const percentile = (values: readonly number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0

interface Fleet {
  readonly connections: readonly NatsConnection[]
  /** What each node knows of the others, info records per second. */
  readonly peers: readonly number[]
  /** Arrival times of each revision, ms. */
  readonly arrivals: Map<number, number[]>
  /** One process plays all nodes, so their counting would delay what is measured elsewhere. */
  stopCounting(): void
}

async function startFleet(url: string): Promise<Fleet> {
  const connections: NatsConnection[] = []
  for (let n = 0; n < CONNECTIONS; n++) connections.push(await connect({ servers: url, reconnect: false }))
  const peers = new Array<number>(NODES).fill(0)
  const arrivals = new Map<number, number[]>()
  const stops: (() => void)[] = []
  for (let n = 0; n < NODES; n++) {
    const connection = connections[n % CONNECTIONS] as NatsConnection
    const node = { id: `node-${n}`, clusterId: 'fleet' }
    const nothing = () => undefined
    const service = createControlService({
      node,
      version: '1.0.0',
      clock: systemClock,
      ask: nothing,
      cancel: nothing,
      refused: nothing,
    })
    await service.attach(connection)
    const exchange = createTrafficExchange({
      clock: systemClock,
      random: Math.random,
      peers: (services) => void (peers[n] = services.reduce((sum, { info }) => sum + info, 0)),
      refused: nothing,
    })
    exchange.attach(trafficWiring(connection, node, exchange))
    stops.push(
      everySecond((n * 1000) / NODES, (second) => {
        exchange.local(countsOf(n, second))
        exchange.tick()
      }),
    )
    const bucket = await openConfigBucket(connection)
    void watch(bucket.follow(followedKeys(node.id), { clock: systemClock, random: Math.random }), arrivals)
  }
  return { connections, peers, arrivals, stopCounting: () => stops.forEach((stop) => stop()) }
}

async function watch(
  followed: AsyncIterable<readonly BucketEntry[]>,
  arrivals: Fleet['arrivals'],
): Promise<void> {
  for await (const entries of followed)
    for (const { revision, key } of entries)
      if (key === SAMPLING_KEY) arrivals.get(revision)?.push(performance.now())
}

function everySecond(offsetMs: number, run: (second: number) => void): () => void {
  let second = 0
  let timer: NodeJS.Timeout | undefined
  const first = setTimeout(() => (timer = setInterval(() => run(++second), 1000)), offsetMs)
  return () => {
    clearTimeout(first)
    clearInterval(timer)
  }
}

/** The server with all nodes counting. */
async function measureTraffic(server: Server, { peers }: Fleet) {
  const [cpu, own, before, atMs] = [
    server.cpuMs(),
    process.cpuUsage(),
    await server.bytes(),
    performance.now(),
  ]
  await sleep(SECONDS * 1000)
  const [cpuEnd, ownEnd, after] = [server.cpuMs(), process.cpuUsage(own), await server.bytes()]
  const seconds = (performance.now() - atMs) / 1000
  return {
    serverCpuPercent: round((cpuEnd - cpu) / seconds / 10),
    allNodesCpuPercent: round((ownEnd.user + ownEnd.system) / seconds / 10_000),
    inKBps: round((after.inBytes - before.inBytes) / seconds / 1000),
    outKBps: round((after.outBytes - before.outBytes) / seconds / 1000),
    inMsgsps: round((after.inMsgs - before.inMsgs) / seconds),
    outMsgsps: round((after.outMsgs - before.outMsgs) / seconds),
    serverRssMb: server.rssMb(),
    nodesThatKnowTheSum: peers.filter((sum) => sum > 0).length,
  }
}

/** From the writing of a setting to its arrival at one node, and at the last one. */
async function measureChanges(admin: NatsConnection, { arrivals }: Fleet) {
  const bucket = await openConfigBucket(admin)
  const each: number[] = []
  const last: number[] = []
  let missed = 0
  for (let n = 0, revision = 0; n < CHANGES; n++) {
    const found: number[] = []
    arrivals.set(revision + 1, found)
    const beganMs = performance.now()
    revision = await bucket.put(
      SAMPLING_KEY,
      JSON.stringify({ section: { tiers: { warn: n / 1000 } } }),
      revision,
    )
    for (let waits = 0; found.length < NODES && waits < 500; waits++) await sleep(10)
    missed += NODES - found.length
    each.push(...found.map((ms) => ms - beganMs))
    last.push(Math.max(...found) - beganMs)
    await sleep(100)
  }
  return {
    toOneP50Ms: round(percentile(each, 0.5)),
    toOneP99Ms: round(percentile(each, 0.99)),
    toAllP50Ms: round(percentile(last, 0.5)),
    toAllP99Ms: round(percentile(last, 0.99)),
    missed,
  }
}

const round = (value: number) => Math.round(value * 10) / 10

async function main(): Promise<void> {
  const server = await startServer()
  const options = natsSchema.parse({ servers: [server.url] })
  if (options === undefined) throw new Error('no options')
  const admin = await connectNats(options, 'fleet admin')
  const manager = await openStreams(admin)
  for (const stream of declareStreams(options).filter(({ purpose }) => purpose === 'config'))
    await ensureStream(manager, stream, { replicas: 1, done: () => undefined })
  const fleet = await startFleet(server.url)
  try {
    await sleep(SETTLE_MS)
    const steady = await measureTraffic(server, fleet)
    fleet.stopCounting()
    await sleep(1500)
    const change = await measureChanges(admin, fleet)
    const machine = { cores: cpus().length, load: loadavg()[0] }
    const result = { nodes: NODES, connections: CONNECTIONS, services: SERVICES, machine, steady, change }
    process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
  } finally {
    fleet.stopCounting()
    await Promise.all([admin, ...fleet.connections].map((connection) => connection.close()))
    await server.stop()
  }
}

await main()
