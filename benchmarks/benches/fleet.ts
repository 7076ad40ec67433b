// A fleet of simulated nodes on one real nats-server: what their traffic costs it, how fast a setting is everywhere, and how they come back.
import { setTimeout as sleep } from 'node:timers/promises'
import type { NatsConnection } from 'nats'
import { nats as natsSchema } from '../../protocol/config/nats.js'
import { SAMPLING_KEY } from '../../protocol/subjects.js'
import { type ConfigBucket, openConfigBucket } from '../../runtime/nats/config-bucket.js'
import { connectNats } from '../../runtime/nats/connection.js'
import { openStreamsFor } from '../../runtime/nats/open-streams.js'
import type { Bench, Measurement } from '../harness/bench.js'
import { createLatencies } from '../harness/histogram.js'
import type { Kit } from '../harness/kit.js'
import { type MeasuredNats, startMeasuredNats } from '../harness/nats.js'
import { ECHO_SUBJECT, machineMs } from './fleet-messages.js'
import { type FleetProcesses, startFleetProcesses } from './fleet-processes.js'

const REFERENCE = 'a plain message to each process'
const CHANGE = 'a change'
const TRAFFIC = 'traffic'
/** A summing node is found, and has heard all. */
const SETTLE_MS = 9000
const GAP_MS = 100

interface Scene {
  readonly server: MeasuredNats
  readonly fleet: FleetProcesses
  readonly nodes: number
  /** Made anew after the server was gone. */
  admin: NatsConnection
  bucket: ConfigBucket
}

export const fleetBench: Bench = {
  name: 'fleet',
  summary: 'simulated nodes on one nats-server: traffic, a change to all of them, a restart',
  metrics: [
    { key: 'allP99Millis', label: 'to the last one, p99', unit: 'ms', better: 'lower', digits: 1 },
    { key: 'allP50Millis', label: 'to the last one, p50', unit: 'ms', better: 'lower', digits: 1 },
    { key: 'oneP50Millis', label: 'to any, p50', unit: 'ms', better: 'lower', digits: 1 },
    { key: 'missed', label: 'missed', unit: '', better: 'lower' },
    { key: 'lateP99Millis', label: 'own event loops late, p99', unit: 'ms', better: 'neither', digits: 1 },
    { key: 'lateMostMillis', label: 'at most', unit: 'ms', better: 'neither', digits: 1 },
    { key: 'backSeconds', label: 'until all follow again', unit: 's', better: 'lower', digits: 1 },
    { key: 'serverCpu', label: "server's CPU", unit: 'cores', better: 'lower', digits: 3 },
    { key: 'fleetCpu', label: "all nodes' CPU", unit: 'cores', better: 'neither', digits: 3 },
    { key: 'serverMegabytes', label: "server's RSS", unit: 'MB', better: 'lower' },
    { key: 'inMessages', label: 'in', unit: 'messages/s', better: 'neither' },
    { key: 'outMessages', label: 'out', unit: 'messages/s', better: 'neither' },
    { key: 'inKilobytes', label: 'in', unit: 'KB/s', better: 'neither' },
    { key: 'outKilobytes', label: 'out', unit: 'KB/s', better: 'neither' },
    { key: 'informed', label: 'nodes that know the sum', unit: '', better: 'higher' },
  ],
  ratios: ['allP50Millis'],
  rounds: { default: 1, quick: 1, warmUp: 0 },
  options: {
    nodes: { value: 'n', default: '1000', quick: '100', text: 'each with a connection of its own' },
    services: { value: 'n', default: '500', quick: '50', text: 'of the cluster; each node has a fifth' },
    changes: {
      value: 'n',
      default: '100',
      quick: '10',
      text: 'settings that are written one after the other',
    },
    seconds: { value: 'n', default: '10', quick: '2', text: 'in which the traffic is looked at' },
  },
  async open(options, kit) {
    const [nodes, changes] = [options.count('nodes', 1), options.count('changes', 1)]
    const scene = await openScene(kit, nodes, options.count('services', 1))
    return {
      cases: [
        { name: REFERENCE, role: 'reference', measure: () => measureEchoes(scene, changes) },
        { name: CHANGE, role: 'measured', against: REFERENCE, measure: () => measureChanges(scene, changes) },
        {
          name: TRAFFIC,
          role: 'measured',
          measure: () => measureTraffic(scene, options.number('seconds', 1)),
        },
        { name: 'the server killed and started', role: 'measured', measure: () => measureReturn(scene) },
      ],
      bars: [
        { what: 'a change is at every node', case: CHANGE, metric: 'allP99Millis', most: 100 },
        { what: 'one server carries them', case: TRAFFIC, metric: 'serverCpu', most: 1 },
      ],
      notes: [
        `${scene.fleet.processes} processes play the nodes and count on while changes are measured; what their event loops are late is in every figure`,
      ],
    }
  },
}

async function openScene(kit: Kit, nodes: number, services: number): Promise<Scene> {
  const server = await startMeasuredNats(kit)
  const scene = { server, nodes, ...(await openAdmin(server.url)) }
  kit.later(() => scene.admin.close())
  const begunMs = machineMs()
  const fleet = startFleetProcesses(server.url, nodes, services)
  kit.later(() => fleet.close())
  const joinedMs = (await fleet.following()) - begunMs
  kit.say(`${nodes} nodes follow the settings after ${(joinedMs / 1000).toFixed(1)} s`)
  await sleep(SETTLE_MS)
  return Object.assign(scene, { fleet })
}

async function openAdmin(url: string): Promise<Pick<Scene, 'admin' | 'bucket'>> {
  const options = natsSchema.parse({ servers: [url], streams: { replicas: 1 } })
  if (options === undefined) throw new Error('no options')
  const admin = await connectNats(options, 'bench fleet')
  await openStreamsFor(['config'], admin, options)
  return { admin, bucket: await openConfigBucket(admin) }
}

/** What the machine and the processes need by themselves for a message from here to there. */
async function measureEchoes({ admin, fleet }: Scene, times: number): Promise<Measurement> {
  return measureArrivals(fleet, times, async (n, begun) => {
    begun()
    admin.publish(ECHO_SUBJECT, String(n))
    await admin.flush()
    return fleet.echoes(n)
  })
}

async function measureChanges({ bucket, fleet, nodes }: Scene, times: number): Promise<Measurement> {
  let revision = (await bucket.get(SAMPLING_KEY))?.revision ?? 0
  let missed = 0
  const measured = await measureArrivals(fleet, times, async (n, begun) => {
    const text = JSON.stringify({ section: { tiers: { warn: (n % 1000) / 1000 } } })
    begun()
    revision = await bucket.put(SAMPLING_KEY, text, revision)
    const atMs = await fleet.arrivals(revision)
    missed += nodes - atMs.length
    return atMs
  })
  return { ...measured, missed }
}

async function measureArrivals(
  fleet: FleetProcesses,
  times: number,
  once: (n: number, begun: () => void) => Promise<readonly number[]>,
): Promise<Measurement> {
  const [each, last] = [createLatencies(), createLatencies()]
  await fleet.look()
  for (let n = 0; n < times; n++) {
    let begunMs = 0
    const arrivedMs = await once(n, () => (begunMs = machineMs()))
    for (const atMs of arrivedMs) each.addMillis(atMs - begunMs)
    last.addMillis(Math.max(...arrivedMs) - begunMs)
    await sleep(GAP_MS)
  }
  const { lateP99Ms, lateMostMs } = await fleet.look()
  return {
    oneP50Millis: each.at(50),
    allP50Millis: last.at(50),
    allP99Millis: last.at(99),
    lateP99Millis: lateP99Ms,
    lateMostMillis: lateMostMs,
  }
}

async function measureTraffic({ server, fleet }: Scene, seconds: number): Promise<Measurement> {
  await fleet.look()
  const [before, used, begunMs] = [await server.flow(), server.usage(), machineMs()]
  await sleep(seconds * 1000)
  const [after, usedThen, look] = [await server.flow(), server.usage(), await fleet.look()]
  const passed = (machineMs() - begunMs) / 1000
  return {
    serverCpu: (usedThen.cpuSeconds - used.cpuSeconds) / passed,
    fleetCpu: look.cpuMs / 1000 / passed,
    serverMegabytes: usedThen.rssBytes / 1e6,
    inMessages: (after.inMessages - before.inMessages) / passed,
    outMessages: (after.outMessages - before.outMessages) / passed,
    inKilobytes: (after.inBytes - before.inBytes) / passed / 1000,
    outKilobytes: (after.outBytes - before.outBytes) / passed / 1000,
    informed: look.informed,
  }
}

/** All nodes lose their connections in one moment, and come back when the server greets again. */
async function measureReturn(scene: Scene): Promise<Measurement> {
  const { server, fleet } = scene
  await server.kill()
  await scene.admin.close()
  await sleep(SETTLE_MS)
  await server.start()
  const begunMs = machineMs()
  const backSeconds = ((await fleet.following()) - begunMs) / 1000
  Object.assign(scene, await openAdmin(server.url))
  await sleep(SETTLE_MS)
  return { backSeconds, informed: (await fleet.look()).informed }
}
