// A process of bench fleet: plays its share of the nodes, and tells when each of them had a setting.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { nats as natsSchema } from '../../protocol/config/nats.js'
import type { ServiceCount } from '../../protocol/traffic/wire.js'
import { connectNats } from '../../runtime/nats/connection.js'
import {
  ECHO_SUBJECT,
  type FleetOrder,
  type FleetShare,
  type FleetWord,
  machineMs,
} from './fleet-messages.js'
import { type SimulatedNode, startSimulatedNode } from './fleet-node.js'

const LATE_EVERY_MS = 5
const say = (word: FleetWord): void => void process.send?.(word)
const delay = monitorEventLoopDelay({ resolution: LATE_EVERY_MS })
const arrivals = new Map<number, number[]>()
let nodes: readonly SimulatedNode[] = []
let cpu = process.cpuUsage()
let share = 0

async function start({ url, first, count, nodes: all, services }: FleetShare): Promise<void> {
  const nats = natsSchema.parse({ servers: [url] })
  if (nats === undefined) throw new Error('no options')
  share = count
  const followers = new Set<number>()
  nodes = Array.from({ length: count }, (_, n) =>
    startSimulatedNode({
      id: `node-${first + n}`,
      nats,
      following(on) {
        const before = followers.size
        if (on) followers.add(n)
        else followers.delete(n)
        if (before !== followers.size && (followers.size === count || before === count))
          say({ type: 'following', nodes: followers.size, atMs: machineMs() })
      },
      arrived: arrivedAt,
    }),
  )
  nodes.forEach((node, n) =>
    everySecond(((first + n) * 1000) / all, (second) => node.tick(countsOf(first + n, second, services))),
  )
  const echo = await connectNats(nats, 'echo').catch(() => undefined)
  echo?.subscribe(ECHO_SUBJECT, {
    callback: (_, message) => say({ type: 'echoed', number: Number(message.string()), atMs: machineMs() }),
  })
  delay.enable()
}

function arrivedAt(revision: number): void {
  const known = arrivals.get(revision) ?? []
  arrivals.set(revision, known)
  known.push(machineMs())
  if (known.length === share) give(revision)
}

function give(revision: number): void {
  say({ type: 'arrived', revision, atMs: arrivals.get(revision) ?? [] })
  arrivals.delete(revision)
}

function look(): void {
  const used = process.cpuUsage(cpu)
  cpu = process.cpuUsage()
  const late = (nanos: number): number => Math.max(0, nanos / 1e6 - LATE_EVERY_MS)
  say({
    type: 'looked',
    cpuMs: (used.user + used.system) / 1000,
    informed: nodes.filter((node) => node.informed()).length,
    lateP99Ms: late(delay.percentile(99)),
    lateMostMs: late(delay.max),
  })
  delay.reset()
}

/** Some services are busy, most are not, and the busy ones move: as a cluster's do. Each node has a fifth of them. */
function countsOf(node: number, second: number, services: number): ServiceCount[] {
  const counts: ServiceCount[] = []
  for (let service = node % 5; service < services; service += 5) {
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

function everySecond(offsetMs: number, run: (second: number) => void): void {
  let second = 0
  setTimeout(() => setInterval(() => run(++second), 1000), offsetMs)
}

process.on('message', (order: FleetOrder) => {
  if (order.type === 'start') void start(order)
  else if (order.type === 'give') give(order.revision)
  else look()
})
process.on('disconnect', () => process.exit())
