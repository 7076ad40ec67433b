// NATS out of reach for a while, by a network that swallows everything: nodes go on by themselves, say so, and are a cluster again afterwards.
import assert from 'node:assert/strict'
import { appendFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { NodeStatus } from '../../protocol/status.js'
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

/** Behind the servers in the section nats; the fleet's nodes are agent and writer in one. */
const MODES = { local: '', jetstream: ' }\nbuffer: { mode: jetstream, publish_timeout: 1s, ack_wait: 5s' }

for (const [mode, more] of Object.entries(MODES))
  test(
    `a network that is cut for ${AWAY_S} s, buffer.mode ${mode}`,
    {
      timeout: 600_000 + AWAY_S * 1000,
    },
    () => cut(more),
  )

async function cut(more: string): Promise<void> {
  const isBuffered = more !== ''
  const own = await ownServer()
  const proxy = await startProxy(own.url)
  cleanLater(() => proxy.close())
  const fleet = await startFleet([proxy.url.replace('http:', 'nats:')], NODES, more)
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
    if (isBuffered)
      await until(`${node} says that frames wait`, async () => {
        const said = await ready(fleet, n)
        assert.equal(said.status, 200)
        return /publisher: .*frames wait in the journal/.test(said.text) ? true : undefined
      })
    await until(`${node} goes by its own counts`, async () => {
      const { seen, cluster } = await cart(fleet, node)
      return seen > 100 && cluster < seen * 1.3 ? true : undefined
    })
  }
  // Written while nobody hears it.
  await sleep(Math.max(0, AWAY_S * 1000 - (performance.now() - cutMs)))
  for (const node of NODES) {
    const status = await fleet.status(node)
    assert.equal(control(status)['connected'], false)
    if (isBuffered) assert.ok(Number(status.actors['journal']?.detail['lag.@jetstream']) > 0)
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
  // Through JetStream either node writes what both have kept.
  await until('every error is stored', async () => {
    const all = await Promise.all(NODES.map((node) => fleet.status(node)))
    const sum = (of: (status: NodeStatus) => number) => all.reduce((total, status) => total + of(status), 0)
    const stored = sum(({ backends }) => backends['vault']?.writtenRecords ?? 0)
    const kept = sum(({ counters }) => counters.keptRecords)
    const isRead = all.every(({ counters }) => counters.readRecords >= errors * 21)
    const isStored = isBuffered ? stored >= kept : stored === kept
    return isRead && kept >= errors * NODES.length && isStored ? true : undefined
  })
  await fleet.end()
}
