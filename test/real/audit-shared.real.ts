// Two nodes of the real executable that share the audit over a real nats-server: what one lost or left behind the other sees to.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NodeStatus } from '../../protocol/status.js'
import { type Desk, openDesk } from '../node/desk.js'
import { startElasticsearchStandIn } from '../stand-ins/elasticsearch.js'
import { startLokiStandIn } from '../stand-ins/loki.js'
import { cleanLater, ownServer, until } from './fleet.js'

const RECORDS = 400

async function scene() {
  const es = await startElasticsearchStandIn({ store: 'records' })
  const loki = await startLokiStandIn({ store: 'records' })
  const server = await ownServer()
  const desk = openDesk()
  cleanLater(es.close)
  cleanLater(loki.close)
  cleanLater(() => desk.remove())
  const quick = 'batch_age_max: 20ms, retry: { initial: 20ms, max: 200ms }'
  for (const name of ['a', 'b'])
    desk.write(
      `${name}.yaml`,
      `node: { id: ${name}, cluster_id: shared, data_dir: ./data-${name} }
http: { listen: 127.0.0.1:0 }
sources: { app: { type: file, include: [logs-${name}/*.log], poll: 20ms } }
sampling: { tiers: { fatal: 1, error: 1, warn: 1, info: 1, debug: 1, trace: 1 } }
records: { batch_age_max: 30ms }
backends:
  es: { type: elasticsearch, url: "${es.url}", ${quick} }
  loki: { type: loki, url: "${loki.url}", ${quick} }
nats: { servers: ["${server.url}"], retry: { initial: 50ms, max: 500ms } }
audit: { after: 300ms, gather: 0s, again: 0s, queries_per_second: 100, lease: 5s, frames_per_query: 2 }
`,
    )
  return { es, loki, server, desk }
}

const lines = (name: string, from = 0) =>
  Array.from(
    { length: RECORDS },
    (_, n) => `{"level":"info","msg":"${name} ${from + n}","service_name":"cart"}\n`,
  ).join('')

async function detail(desk: Desk, node: string): Promise<Readonly<Record<string, unknown>>> {
  const { stdout, stderr } = await desk.run('ctl', 'status', '--json', '-c', `${node}.yaml`)
  assert.ok(stdout, stderr)
  return (JSON.parse(stdout) as NodeStatus).actors['auditor']?.detail ?? {}
}

const shares = (desk: Desk, node: string) =>
  until(`${node} shares its tasks`, async () =>
    (await detail(desk, node))['shared'] === true ? true : undefined,
  )

/** Nothing waits any more: neither in the queue of all, nor at this node for another's word. */
const settled = (desk: Desk, node: string) =>
  until(`${node}'s frames are all checked`, async () => {
    const now = await detail(desk, node)
    return now['waiting'] === 0 && now['sharedWaiting'] === 0 ? now : undefined
  })

test('nodes check for each other; what one misses is mended by the node that has the journal', async () => {
  const { es, loki, desk } = await scene()
  loki.setFaults({ swallow: 0.5, requests: 1 })
  const nodes = ['a', 'b'].map((name) => desk.start('run', '-c', `${name}.yaml`))
  await Promise.all(nodes.map((node) => node.address()))
  await Promise.all(['a', 'b'].map((name) => shares(desk, name)))
  // b has no logs: all that it checks is a's.
  let written = 0
  const checked = await until('b has checked frames of a', async () => {
    desk.write(`logs-a/${written}.log`, lines('a', written))
    written += RECORDS
    const now = await detail(desk, 'b')
    return Number(now['agreed']) > 0 && Number(now['records']) > 0 ? now : undefined
  })
  assert.ok(Number(checked['records']) > 0)
  await until(
    'all that was swallowed is back',
    async () => (es.count() === written && loki.count() === written) || undefined,
  )
  assert.ok(loki.stats.swallowed > 0)
  assert.ok(Number((await detail(desk, 'a'))['repaired']) > 0, 'a mends its own')
  assert.equal((await detail(desk, 'b'))['repaired'], 0, 'b leaves that to a, which has the journal')
  const { stdout } = await desk.run('audit', 'status', '-c', 'a.yaml')
  assert.match(stdout, /shared with other nodes over NATS/)
  for (const { child } of nodes) child.kill('SIGTERM')
  for (const { ended } of nodes) assert.equal((await ended).code, 0)
})

test('the tasks of a node that is killed are done by the other; without NATS a node goes on alone', async () => {
  const { es, loki, server, desk } = await scene()
  const [a, b] = ['a', 'b'].map((name) => desk.start('run', '-c', `${name}.yaml`))
  assert.ok(a !== undefined && b !== undefined)
  await Promise.all([a.address(), b.address()])
  await Promise.all(['a', 'b'].map((name) => shares(desk, name)))
  // Answers are slow: whoever takes a task keeps it for a while.
  desk.write('logs-b/1.log', lines('b'))
  await until('all is stored', async () => (es.count() === RECORDS && loki.count() === RECORDS) || undefined)
  es.setFaults({ delayMs: 4000, on: 'all' })
  desk.write('logs-b/2.log', lines('b', RECORDS))
  // a has no logs yet: all that it checks is b's.
  const earlier = Number((await detail(desk, 'a'))['records'])
  await until('tasks of b wait', async () =>
    Number((await detail(desk, 'b'))['waiting']) > 0 ? true : undefined,
  )
  b.child.kill('SIGKILL')
  await b.ended
  es.setFaults({})
  await until("a has checked b's frames", async () => {
    const now = await detail(desk, 'a')
    return Number(now['records']) > earlier && now['sharedWaiting'] === 0 ? true : undefined
  })
  const own = Number((await detail(desk, 'a'))['records'])
  desk.write('logs-a/1.log', lines('a'))
  await until('a has checked its own frames', async () =>
    Number((await detail(desk, 'a'))['records']) >= own + RECORDS ? true : undefined,
  )
  await settled(desk, 'a')
  await server.kill()
  await until('a tells that it is alone', async () =>
    (await detail(desk, 'a'))['shared'] === false ? true : undefined,
  )
  const before = Number((await detail(desk, 'a'))['records'])
  desk.write('logs-a/2.log', lines('a', RECORDS))
  await until('a checks alone', async () =>
    Number((await detail(desk, 'a'))['records']) >= before + RECORDS ? true : undefined,
  )
  assert.match((await desk.run('audit', 'status', '-c', 'a.yaml')).stdout, /this node's own folder/)
  await server.start()
  await shares(desk, 'a')
  a.child.kill('SIGTERM')
  assert.equal((await a.ended).code, 0)
})
