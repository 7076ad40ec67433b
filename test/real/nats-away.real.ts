// NATS out of reach for a while, by a network that swallows everything: nodes go on by themselves, say so, and are a cluster again afterwards.
import assert from 'node:assert/strict'
import { appendFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startProxy } from '../chaos/proxy.js'
import {
  cleanLater,
  connected,
  control,
  type Fleet,
  ownServer,
  runsWith,
  startFleet,
  until,
  warnOf,
} from './fleet.js'

/** Seconds. A cut is noticed by unanswered pings, after 10 to 15 s. */
const AWAY_S = Number(process.env['MILLRACE_NATS_AWAY_S'] ?? (process.env['CI'] === undefined ? 60 : 20))
const NODES = ['a', 'b']

async function ready(fleet: Fleet, node: number): Promise<{ status: number; text: string }> {
  const answer = await fetch(`http://${await fleet.nodes[node]?.address()}/readyz`)
  return { status: answer.status, text: await answer.text() }
}

/** Info records a second of the service, as the node sees them and as it takes the cluster's to be. */
async function cart(fleet: Fleet, node: string) {
  const found = (await fleet.status(node)).sampling?.services.find(({ service }) => service === 'cart')
  return { seen: found?.seenPerSecond ?? 0, cluster: found?.infoPerSecond ?? 0 }
}

const ofBoth = (fleet: Fleet, node: string) =>
  until(`${node} knows of both`, async () => {
    const { seen, cluster } = await cart(fleet, node)
    return seen > 100 && cluster > seen * 1.6 && cluster < seen * 2.4 ? true : undefined
  })

test(`a network that is cut for ${AWAY_S} s`, { timeout: 240_000 + AWAY_S * 1000 }, async () => {
  const own = await ownServer()
  const proxy = await startProxy(own.url)
  cleanLater(() => proxy.close())
  const fleet = await startFleet([proxy.url.replace('http:', 'nats:')], NODES)
  for (const node of NODES) await connected(fleet, node)
  fleet.desk.write('good.yaml', 'tiers: { warn: 0.9 }\n')
  assert.equal((await fleet.ctl('config', 'set', 'good.yaml')).code, 0)
  for (const node of NODES) await runsWith(fleet, node, 0.9)
  // Both nodes read the same file: the cluster sees each line twice.
  const file = fleet.desk.write('logs/busy.log', '')
  let errors = 0
  const writing = setInterval(() => {
    errors++
    appendFileSync(file, `{"level":"info","msg":"busy"}\n`.repeat(20) + '{"level":"error","msg":"kept"}\n')
  }, 100)
  cleanLater(() => clearInterval(writing))
  for (const node of NODES) await ofBoth(fleet, node)

  const cutMs = performance.now()
  proxy.set('dead')
  for (const [n, node] of NODES.entries()) {
    await until(`${node} says that it is alone`, async () =>
      control(await fleet.status(node))['connected'] === false ? true : undefined,
    )
    const { status, text } = await ready(fleet, n)
    assert.equal(status, 200, 'a node without NATS takes logs all the same')
    assert.match(text, /control: .*NATS.*; sampling follows this node's own counts/)
    await until(`${node} goes by its own counts`, async () => {
      const { seen, cluster } = await cart(fleet, node)
      return seen > 100 && cluster < seen * 1.3 ? true : undefined
    })
  }
  // Written while nobody hears it.
  await sleep(Math.max(0, AWAY_S * 1000 - (performance.now() - cutMs)))
  for (const node of NODES) {
    assert.equal(control(await fleet.status(node))['connected'], false)
    assert.equal(await warnOf(fleet, node), 0.9, 'the last good settings stay')
  }
  proxy.set(undefined)
  for (const node of NODES) await connected(fleet, node)
  for (const [n, node] of NODES.entries()) {
    await ofBoth(fleet, node)
    assert.doesNotMatch((await ready(fleet, n)).text, /control:/)
  }
  fleet.desk.write('good.yaml', 'tiers: { warn: 0.7 }\n')
  assert.equal((await fleet.ctl('config', 'set', 'good.yaml')).code, 0)
  for (const node of NODES) await runsWith(fleet, node, 0.7)
  assert.equal((await fleet.ctl('status', '--node', 'b')).code, 0)
  clearInterval(writing)
  for (const node of NODES)
    await until(`${node} has stored every error`, async () => {
      const { counters, backends } = await fleet.status(node)
      const stored = backends['vault']?.writtenRecords ?? 0
      return counters.readRecords >= errors * 21 && stored >= errors && stored === counters.keptRecords
        ? true
        : undefined
    })
  await fleet.end()
})
