// The audit where frames go through JetStream: agents without backends make the tasks, writers check and mend them.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { nanoid } from 'nanoid'
import type { NodeStatus } from '../../protocol/status.js'
import { type Desk, openDesk } from '../node/desk.js'
import { cleanLater, ownServer, until } from './fleet.js'
import { esCount, esDeleteIndices, esRefresh } from './servers/es-query.js'
import { serverUrl } from './servers/settings.js'
import { startSwallowingProxy } from './swallowing-proxy.js'

const RECORDS = 3000

interface Scene {
  readonly desk: Desk
  readonly index: string
  readonly cluster: string
}

/** One agent that knows no backend, and writers; the second check comes so long after the first. */
function scene(natsUrl: string, lokiUrl: string, again: string, writers: readonly string[]): Scene {
  const desk = openDesk()
  cleanLater(() => desk.remove())
  const cluster = `ajs-${nanoid(8)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, 'x')}`
  const index = `${cluster}-*`
  cleanLater(() => esDeleteIndices(serverUrl('es'), index))
  const shared = `http: { listen: 127.0.0.1:0 }
nats: { servers: ["${natsUrl}"], retry: { initial: 50ms, max: 500ms } }
audit: { after: 300ms, gather: 0s, again: ${again}, queries_per_second: 50, lease: 5s }
`
  const node = (id: string, role: string) =>
    `node: { id: ${id}, cluster_id: ${cluster}, role: ${role}, data_dir: ./data-${id} }\n${shared}`
  desk.write(
    'agent.yaml',
    `${node('agent', 'agent')}sources: { app: { type: file, include: [logs/*.log], poll: 50ms, fields: { namespace: shop } } }
sampling: { tiers: { fatal: 1, error: 1, warn: 1, info: 1, debug: 1, trace: 1 } }
records: { batch_age_max: 50ms, frame_bytes: 64KiB }
backends: {}
buffer: { mode: jetstream, backends: [es, loki] }
`,
  )
  for (const id of writers)
    desk.write(
      `${id}.yaml`,
      `${node(id, 'writer')}backends:
  es: { type: elasticsearch, url: "${serverUrl('es')}", index: "${cluster}-%Y", batch_age_max: 100ms }
  loki: { type: loki, url: "${lokiUrl}", batch_age_max: 100ms }
buffer: { mode: jetstream }
`,
    )
  return { desk, index, cluster }
}

const lines = (from: number) =>
  Array.from(
    { length: RECORDS },
    (_, n) => `{"level":"info","msg":"m ${from + n}","service_name":"cart${n % 7}"}\n`,
  ).join('')

async function inLoki(cluster: string): Promise<number> {
  const query = encodeURIComponent(`sum(count_over_time({cluster_id="${cluster}"}[1h]))`)
  const response = await fetch(`${serverUrl('loki')}/loki/api/v1/query?query=${query}`)
  const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } }
  return Number(data.result[0]?.value[1] ?? 0)
}

async function inElasticsearch(index: string): Promise<number> {
  await esRefresh(serverUrl('es'), index)
  return esCount(serverUrl('es'), index)
}

interface AuditEvent {
  readonly event: string
  readonly backend?: string
  readonly from?: string
  readonly records?: number
}

const events = (desk: Desk, writers: readonly string[]): AuditEvent[] =>
  writers.flatMap((id) => {
    const folder = join(desk.folder, `data-${id}`, 'audit')
    return readdirSync(folder)
      .filter((name) => name.endsWith('.ndjson'))
      .flatMap((name) => readFileSync(join(folder, name), 'utf8').trim().split('\n'))
      .filter(Boolean)
      .map((line) => JSON.parse(line) as AuditEvent)
  })

const repaired = (desk: Desk, writers: readonly string[], backend: string, from?: string): number =>
  events(desk, writers)
    .filter((one) => one.event === 'repaired' && one.backend === backend && (from ?? one.from) === one.from)
    .reduce((sum, { records = 0 }) => sum + records, 0)

/** Like `until`, for what takes as long as a second look (40 s) on a busy machine; says what the writers have noted. */
async function eventually(
  what: string,
  desk: Desk,
  writers: readonly string[],
  look: () => Promise<true | undefined>,
): Promise<void> {
  for (let turns = 3; ; turns--) {
    try {
      return void (await until(what, look))
    } catch (error) {
      const noted = events(desk, writers).map((event) => JSON.stringify(event))
      if (turns === 0) throw new Error(`${String(error)}\n${noted.join('\n')}`, { cause: error })
    }
  }
}

async function detail(desk: Desk, node: string): Promise<Readonly<Record<string, unknown>>> {
  const { stdout, stderr } = await desk.run('ctl', 'status', '--json', '-c', `${node}.yaml`)
  assert.ok(stdout, stderr)
  return (JSON.parse(stdout) as NodeStatus).actors['auditor']?.detail ?? {}
}

test('what Loki swallowed is found by the writers and mended from the journal of the agent', async () => {
  const proxy = await startSwallowingProxy(serverUrl('loki'))
  cleanLater(() => proxy.close())
  const server = await ownServer()
  const writers = ['w1', 'w2']
  const { desk, index, cluster } = scene(server.url, proxy.url, '0s', writers)
  proxy.swallow('cart3', 2)
  const running = [...writers, 'agent'].map((name) => desk.start('run', '-c', `${name}.yaml`))
  await Promise.all(running.map((node) => node.address()))
  desk.write('logs/1.log', lines(0))
  await until('a push is swallowed', async () => (proxy.swallowed() > 0 ? true : undefined))
  await eventually('it is mended', desk, writers, async () =>
    repaired(desk, writers, 'loki') === proxy.swallowed() ? true : undefined,
  )
  assert.equal(repaired(desk, writers, 'loki', 'journal'), proxy.swallowed())
  await until('Loki has all', async () => ((await inLoki(cluster)) === RECORDS ? true : undefined))
  assert.equal(await inElasticsearch(index), RECORDS)
  // Checked again after the repair, and told to the agent, whose journal may go then.
  await eventually('nothing waits', desk, writers, async () =>
    (await detail(desk, 'agent'))['waiting'] === 0 ? true : undefined,
  )
  assert.equal((await detail(desk, 'agent'))['records'], 0, 'the agent checks nothing itself')
  assert.equal(
    events(desk, writers).some(({ event }) => event === 'unrepaired'),
    false,
  )
  for (const { child } of running) child.kill('SIGTERM')
  for (const { ended } of running) assert.equal((await ended).code, 0)
})

test('documents deleted by hand come back from Loki when the agent is gone; nothing is asked while frames wait', async () => {
  const server = await ownServer()
  const writers = ['w1']
  const { desk, index } = scene(server.url, serverUrl('loki'), '75s', writers)
  const agent = desk.start('run', '-c', 'agent.yaml')
  await agent.address()
  desk.write('logs/1.log', lines(0))
  await until('tasks wait at the agent', async () =>
    Number((await detail(desk, 'agent'))['waiting']) > 0 ? true : undefined,
  )
  const writer = desk.start('run', '-c', 'w1.yaml')
  await writer.address()
  await until('all is stored', async () => ((await inElasticsearch(index)) === RECORDS ? true : undefined))
  await eventually('all is checked once', desk, writers, async () => {
    const { records, agreed } = await detail(desk, 'w1')
    return Number(records) >= RECORDS && Number(agreed) > 0 ? true : undefined
  })
  assert.equal((await detail(desk, 'w1'))['repaired'], 0, 'nothing was believed missing that was on its way')
  await eventually('the agent knows', desk, writers, async () =>
    (await detail(desk, 'agent'))['waiting'] === 0 ? true : undefined,
  )
  agent.child.kill('SIGTERM')
  assert.equal((await agent.ended).code, 0)
  const gone = await deleteSome(index)
  await eventually('it is back', desk, writers, async () =>
    repaired(desk, writers, 'es', 'loki') === gone ? true : undefined,
  )
  await until('all is there', async () => ((await inElasticsearch(index)) === RECORDS ? true : undefined))
  writer.child.kill('SIGTERM')
  assert.equal((await writer.ended).code, 0)
})

/** Some documents of one service. Returns how many. */
async function deleteSome(index: string): Promise<number> {
  const post = async <T>(path: string, body: string, type: string): Promise<T> => {
    const headers = { 'content-type': type }
    return (await (await fetch(`${serverUrl('es')}${path}`, { method: 'POST', headers, body })).json()) as T
  }
  const search = JSON.stringify({ size: 37, _source: false, query: { term: { service_name: 'cart3' } } })
  interface Page {
    readonly hits: { readonly hits: readonly { readonly _id: string; readonly _index: string }[] }
  }
  const page = await post<Page>(`/${index}/_search`, search, 'application/json')
  const deletes = page.hits.hits.map(({ _id, _index }) => `${JSON.stringify({ delete: { _index, _id } })}\n`)
  const { errors } = await post<{ errors: boolean }>(
    '/_bulk?refresh=true',
    deletes.join(''),
    'application/x-ndjson',
  )
  assert.equal(errors, false)
  assert.equal(deletes.length, 37)
  return deletes.length
}
