// Guards the cluster's traffic counts: lost messages, nodes that come and go, a summing node that dies, foreign bytes, bounds.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createTrafficExchange, type TrafficExchange } from '../../actors/control/traffic-exchange.js'
import { createCountReceiver, createCountSum } from '../../protocol/traffic/receiver.js'
import { createCountSender, UNCHANGED_SHARE } from '../../protocol/traffic/sender.js'
import {
  type CountsMessage,
  decodeCounts,
  encodeCounts,
  SERVICES_MAX,
  type ServiceCount,
} from '../../protocol/traffic/wire.js'
import { createFakeClock } from '../writers/fake-clock.js'

const count = (service: string, info: number, namespace = 'shop'): ServiceCount => ({
  namespace,
  service,
  info,
})
const decoded = (bytes: Uint8Array): CountsMessage => decodeCounts(bytes) as CountsMessage

/** Nodes on a network in memory; a message is lost when `lost` says so. */
function createCluster(nodes: number, lost: (from: number) => boolean = () => false) {
  const clock = createFakeClock()
  let seed = 1
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647
  const peers: ServiceCount[][] = []
  const refused: string[] = []
  const listening = new Set<number>()
  const alive = new Set<number>()
  const sizes: number[] = []
  const all: TrafficExchange[] = []
  function attach(n: number): void {
    alive.add(n)
    const to = (send: () => void) => {
      if (alive.has(n) && !lost(n)) send()
    }
    all[n]?.attach({
      counts: (bytes) => {
        sizes.push(bytes.length)
        to(() => [...listening].forEach((at) => alive.has(at) && all[at]?.onCounts(`n${n}`, bytes)))
      },
      sum: (bytes) => to(() => [...alive].forEach((at) => all[at]?.onSum(bytes))),
      askNode: (token) => to(() => all[Number(token.slice(1))]?.onAsked('node')),
      askAll: () => to(() => [...alive].forEach((at) => all[at]?.onAsked('node'))),
      askSum: () => to(() => [...listening].forEach((at) => all[at]?.onAsked('sum'))),
      listen: () => {
        listening.add(n)
        return () => void listening.delete(n)
      },
    })
  }
  for (let n = 0; n < nodes; n++) {
    all.push(
      createTrafficExchange({
        clock,
        random,
        peers: (services) => void (peers[n] = [...services]),
        refused: (reason) => void refused.push(reason),
      }),
    )
    attach(n)
  }
  return {
    all,
    peers,
    refused,
    sizes,
    listening,
    alive,
    attach,
    die(n: number) {
      alive.delete(n)
      listening.delete(n)
    },
    /** Seconds in which node n counts `counts(n)`. */
    run(seconds: number, counts: (n: number) => readonly ServiceCount[]) {
      for (let second = 0; second < seconds; second++) {
        for (const n of alive) all[n]?.local(counts(n))
        for (const n of alive) all[n]?.tick()
        clock.pass(1000)
      }
    },
  }
}

const info = (services: readonly ServiceCount[] | undefined, service = 'cart') =>
  services?.find((each) => each.service === service)?.info

test('every node learns what all others have seen, and one node sums for all', () => {
  const cluster = createCluster(40)
  cluster.run(15, (n) => [count('cart', 100 + n)])
  assert.equal(cluster.listening.size, 1, 'one node hears the counts of all')
  const sum = 40 * 100 + (39 * 40) / 2
  for (let n = 0; n < 40; n++) assert.equal(info(cluster.peers[n]), sum - 100 - n, `node ${n}`)
  assert.deepEqual(cluster.refused, [])
})

test('a node that fell silent is out of the sums after five seconds', () => {
  const cluster = createCluster(5)
  cluster.run(12, () => [count('cart', 10)])
  const victim = [0, 1, 2, 3, 4].find((n) => !cluster.listening.has(n)) as number
  cluster.die(victim)
  cluster.run(4, () => [count('cart', 10)])
  const survivor = [...cluster.alive][0] as number
  assert.equal(info(cluster.peers[survivor]), 40, 'held while it may only be late')
  cluster.run(4, () => [count('cart', 10)])
  assert.equal(info(cluster.peers[survivor]), 30)
})

test('the summing node dies: another one takes over, and meanwhile nobody believes to be alone', () => {
  const cluster = createCluster(6)
  cluster.run(12, () => [count('cart', 10)])
  const [leader] = [...cluster.listening] as [number]
  cluster.die(leader)
  const low: number[] = []
  for (let second = 0; second < 14; second++) {
    cluster.run(1, () => [count('cart', 10)])
    for (const n of cluster.alive) low.push(info(cluster.peers[n]) ?? 0)
  }
  assert.equal(cluster.listening.size, 1)
  assert.equal(Math.min(...low), 40, 'never less than the four other survivors')
  for (const n of cluster.alive) assert.equal(info(cluster.peers[n]), 40)
})

test('two summing nodes that meet after a cut become one', () => {
  const cluster = createCluster(4)
  cluster.run(12, () => [count('cart', 10)])
  const [leader] = [...cluster.listening] as [number]
  cluster.die(leader)
  cluster.run(12, () => [count('cart', 10)])
  cluster.alive.add(leader)
  cluster.listening.add(leader)
  cluster.run(12, () => [count('cart', 10)])
  assert.equal(cluster.listening.size, 1)
  for (const n of [0, 1, 2, 3]) assert.equal(info(cluster.peers[n]), 30)
})

test('without NATS a node falls back to its own counts', () => {
  const cluster = createCluster(3)
  cluster.run(12, () => [count('cart', 10)])
  assert.equal(info(cluster.peers[0]), 20)
  cluster.all[0]?.detach()
  cluster.run(12, () => [count('cart', 10)])
  assert.deepEqual(cluster.peers[0], [])
})

test('every third message is lost and the sums still come right', () => {
  let at = 0
  const cluster = createCluster(5, () => ++at % 3 === 0 && at < 400)
  cluster.run(60, (n) => [count('cart', 10 * (n + 1)), count(`own-${n}`, 5)])
  cluster.run(20, (n) => [count('cart', 10 * (n + 1)), count(`own-${n}`, 5)])
  for (let n = 0; n < 5; n++) assert.equal(info(cluster.peers[n]), 150 - 10 * (n + 1))
})

test('a count that hardly moves is not said again', () => {
  const cluster = createCluster(2)
  const many = Array.from({ length: 500 }, (_, n) => count(`service-${n}`, 1000))
  cluster.run(10, () => many)
  cluster.sizes.length = 0
  cluster.run(5, () => many.map((each, n) => ({ ...each, info: each.info + (n % 2) * 10 })))
  // Everything is said once a minute all the same.
  assert.ok(cluster.sizes.filter((bytes) => bytes > 30).length <= 2, cluster.sizes.join(' '))
})

test('what a receiver knows is what the sender counted, within the stated share, whatever came and went', () => {
  const second = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat({ max: 5000 }), {
    noNullPrototype: true,
  })
  fc.assert(
    fc.property(fc.array(fc.tuple(second, fc.boolean()), { minLength: 1, maxLength: 20 }), (seconds) => {
      const sender = createCountSender(7)
      const sum = createCountSum()
      const receiver = createCountReceiver(sum)
      for (const [counts, refresh] of seconds) {
        if (refresh) sender.refresh()
        const list = Object.entries(counts).map(([service, seen]) => count(service, seen))
        for (const bytes of sender.encode(list)) assert.equal(receiver.hear(decoded(bytes)), true)
        const known = new Map([...sum.services()].map(({ service, info: seen }) => [service, seen]))
        for (const { service, info: seen } of list)
          assert.ok(
            Math.abs((known.get(service) ?? 0) - seen) <= (seen / (1 - UNCHANGED_SHARE)) * UNCHANGED_SHARE,
          )
        for (const service of known.keys()) assert.ok((counts[service] ?? 0) > 0, `${service} lingers`)
      }
      receiver.forget()
      assert.deepEqual([...sum.services()], [])
    }),
  )
})

test('more services than the bound share one entry and none is lost from the sum', () => {
  const sender = createCountSender(1)
  const sum = createCountSum()
  const receiver = createCountReceiver(sum)
  const many = Array.from({ length: SERVICES_MAX + 500 }, (_, n) => count(`s${n}`, 2))
  for (const bytes of sender.encode(many)) receiver.hear(decoded(bytes))
  const total = [...sum.services()].reduce((all, { info: seen }) => all + seen, 0)
  assert.equal(total, 2 * many.length)
  assert.ok([...sum.services()].length <= SERVICES_MAX)
})

test('foreign bytes are refused, and a message cut short too', () => {
  const good = encodeCounts({ sender: 1, seq: 1, kind: 1, names: [1, 'ns', 'svc'], counts: [1, 5] })
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeCounts(bytes)))
  for (let length = 0; length < good.length; length++)
    assert.equal(decodeCounts(good.slice(0, length)), undefined)
  const odd = { sender: 1, seq: 1, kind: 1, names: [], counts: [] }
  for (const wrong of [
    { ...odd, kind: 9 },
    { ...odd, counts: [1, -5] },
    { ...odd, counts: [1] },
    { ...odd, counts: [99_999, 1] },
    { ...odd, names: [1, 'x'.repeat(300), 's'] },
    { ...odd, seq: 1.5 },
  ])
    assert.equal(decodeCounts(encodeCounts(wrong)), undefined, JSON.stringify(wrong).slice(0, 80))
})
