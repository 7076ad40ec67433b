// The way to NATS is cut, slow or stalled, and clocks jump: agents and writers of the buffer go on, nothing is lost and nothing twice.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type NetworkMode, startProxy } from '../chaos/proxy.js'
import {
  buffered,
  demand,
  empty,
  ended,
  handedOver,
  hasRead,
  RECORDS,
  started,
  writeAll,
} from './buffer-kit.js'
import { startChoke } from './choke-proxy.js'
import { cleanLater, ownServer, until } from './fleet.js'
import { freePort } from './servers/own-nats.js'

const QUICK = 'ack_wait: 2s, publish_timeout: 1s'
const natsUrl = (url: string) => url.replace('http:', 'nats:')

test('the network between nodes and NATS is cut in every way, on both sides: each record once in both', {
  timeout: 600_000,
}, async (t) => {
  const own = await ownServer()
  const proxies = await Promise.all([startProxy(own.url), startProxy(own.url)])
  for (const proxy of proxies) cleanLater(() => proxy.close())
  const [near, far] = proxies
  assert.ok(near && far)
  const { scenario, corpus } = buffered(
    t,
    [own.url],
    {
      urlOf: { a: natsUrl(near.url), w: natsUrl(far.url) },
      buffer: QUICK,
    },
    RECORDS * 2,
  )
  const modes: readonly NetworkMode[] = ['refuse', 'cut_request', 'cut_answer', 'slow', 'dead']
  const nodes = ['a', 'w'].map((name) => started(t, scenario, name))
  const perCut = Math.floor((RECORDS * 2) / (modes.length * 2 + 2))
  for (const mode of modes)
    for (const proxy of proxies) {
      corpus.write(perCut / 2)
      await sleep(300)
      proxy.set(mode)
      corpus.write(perCut / 2)
      // A dead network is noticed by unanswered pings, and by publishes without an answer.
      await sleep(mode === 'dead' ? 12_000 : 1500)
      proxy.set(undefined)
    }
  writeAll(corpus)
  const [agent] = nodes
  assert.ok(agent)
  await until('the agent has published all', async () => {
    const status = await scenario.status(agent)
    const isAll = status.counters.keptRecords >= RECORDS * 2 && status.degraded.length === 0
    return isAll && handedOver(status) ? true : undefined
  })
  await empty(own.url)
  for (const node of nodes) await ended(node)
  const { lokiCopies } = await demand(scenario, corpus)
  t.diagnostic(`copies of entries in Loki: ${lokiCopies}`)
})

test('a writer that does not take what it asked for is cut off by the server, and gets all of it afterwards, once', {
  timeout: 600_000,
}, async (t) => {
  const monitorPort = await freePort()
  const own = await ownServer(`http: 127.0.0.1:${monitorPort}\nwrite_deadline: "300ms"`)
  const choke = await startChoke(own.url)
  cleanLater(() => choke.close())
  const { scenario, corpus } = buffered(
    t,
    [own.url],
    {
      urlOf: { w: choke.url },
      buffer: QUICK,
    },
    RECORDS * 10,
  )
  writeAll(corpus)
  await scenario.runOnce('a')
  const slowConsumers = async () => {
    const answer = await fetch(`http://127.0.0.1:${monitorPort}/varz`)
    return ((await answer.json()) as { slow_consumers: number }).slow_consumers
  }
  assert.equal(await slowConsumers(), 0)
  // Each connection passes its beginning, then nothing is taken from it any more.
  choke.stopAfter(64 * 1024)
  const writer = started(t, scenario, 'w')
  const cut = await until('the server cuts off a slow consumer', async () => {
    const count = await slowConsumers()
    return count > 0 ? count : undefined
  })
  choke.stopAfter(undefined)
  await empty(own.url)
  await ended(writer)
  const { lokiCopies } = await demand(scenario, corpus)
  t.diagnostic(`slow consumers that the server cut off: ${cut}; copies of entries in Loki: ${lokiCopies}`)
})

test('clocks of agent and writers jump by an hour, both ways: each record once in both', {
  timeout: 600_000,
}, async (t) => {
  const own = await ownServer()
  const nodes = ['a', 'v', 'w']
  const { scenario, corpus } = buffered(
    t,
    [own.url],
    {
      writers: ['v', 'w'],
      buffer: QUICK,
    },
    RECORDS * 2,
  )
  const clockOf = (name: string) => join(scenario.folder, `clock-${name}`)
  const jump = (name: string, hours: number) => writeFileSync(clockOf(name), String(hours * 3_600_000))
  for (const name of nodes) jump(name, 0)
  const running = nodes.map((name) => started(t, scenario, name, { clockFile: clockOf(name) }))
  const [agent, v, w] = running
  assert.ok(agent && v && w)
  const jumps: readonly (readonly [string, number])[] = [
    ['a', 1],
    ['v', -1],
    ['w', 1],
    ['a', -1],
    ['v', 1],
    ['w', -1],
    ['a', 0],
  ]
  for (const [name, hours] of jumps) {
    corpus.write(Math.floor((RECORDS * 2) / (jumps.length + 1)))
    await sleep(200)
    jump(name, hours)
    await sleep(800)
  }
  // A writer dies while its clock is wrong: its frames go to the other, whose clock says something else.
  corpus.write(RECORDS / 10)
  v.process.kill('SIGKILL')
  await v.exited
  writeAll(corpus)
  await hasRead(scenario, agent, RECORDS * 2)
  await ended(agent)
  await scenario.runOnce('a')
  await empty(own.url)
  await ended(w)
  const { lokiCopies } = await demand(scenario, corpus)
  t.diagnostic(`copies of entries in Loki: ${lokiCopies}`)
})
