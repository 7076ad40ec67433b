// Pod labels from the Kubernetes API: they come when they can, and never hold a record for long.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { afterEach, beforeEach, test } from 'node:test'
import { inClusterAccess, kubeconfigAccess } from '../../actors/sources/kubernetes/access.js'
import { httpPodsApi } from '../../actors/sources/kubernetes/http-api.js'
import { kubernetesSource } from '../../actors/sources/kubernetes.js'
import type { PodsApi } from '../../actors/sources/kubernetes/pods-api.js'
import { kubernetesSource as schema } from '../../protocol/config/sources.js'
import { createBench, RECORDS, type Bench } from './bench.js'
import { criLines, logFolder, POD, type LogFolder } from './folders.js'

const UID = POD.split('_')[2] as string
const LOG = `${POD}/app/0.log`
let folder: LogFolder
let cleanups: (() => unknown)[] = []

beforeEach(() => {
  folder = logFolder()
})
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
  cleanups = []
  folder.remove()
})

/** An API server for one node's pods: list, watch, bookmarks, and 410 when told so. */
interface ApiServer {
  readonly url: string
  readonly requests: string[]
  pods: object[]
  /** Sends an event to all watches. */
  event(type: string, object: object): void
  endWatches(): void
  watches(): number
}

async function apiServer(): Promise<ApiServer> {
  const open = new Set<ServerResponse>()
  const server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://server')
    made.requests.push(`${url.pathname}?${url.searchParams.toString()}`)
    response.setHeader('content-type', 'application/json')
    if (request.headers.authorization !== 'Bearer node-token') return void response.writeHead(401).end('{}')
    if (url.searchParams.get('watch') !== 'true') {
      const half = Math.ceil(made.pods.length / 2)
      const isSecond = url.searchParams.get('continue') === 'half'
      const items = isSecond ? made.pods.slice(half) : made.pods.slice(0, half)
      const metadata = {
        resourceVersion: '7',
        ...(isSecond || half === made.pods.length ? {} : { continue: 'half' }),
      }
      return void response.end(JSON.stringify({ metadata, items }))
    }
    response.flushHeaders()
    open.add(response)
    response.on('close', () => open.delete(response))
  })
  const made: ApiServer = {
    url: '',
    requests: [],
    pods: [],
    event: (type, object) =>
      open.forEach((response) => response.write(`${JSON.stringify({ type, object })}\n`)),
    endWatches: () => open.forEach((response) => response.end()),
    watches: () => open.size,
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  return Object.assign(made, { url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}` })
}

function pod(labels: Record<string, string>, uid = UID, version = '8', annotations = {}): object {
  return { metadata: { uid, resourceVersion: version, labels, annotations } }
}

function apiAt(url: string): PodsApi {
  const requestOptions = async () => ({ headers: { authorization: 'Bearer node-token' } })
  return httpPodsApi({ server: new URL(url), requestOptions })
}

async function source(api: PodsApi | undefined, options: Record<string, unknown> = {}): Promise<Bench> {
  const bench = createBench({ name: 'pods' })
  cleanups.push(() => bench.stop())
  const quick = { poll: 10, rescan: 20, labels_allow: ['env', 'tenant-id'], labels_wait: 2000 }
  const parsed = {
    ...schema.parse({ type: 'kubernetes', path: folder.root }),
    ...quick,
    node_name: 'worker-7',
    ...options,
  }
  const made = { name: 'pods', options: parsed, records: RECORDS, ...(api === undefined ? {} : { api }) }
  await bench.start(kubernetesSource(bench.context, made))
  return bench
}

const has = (bench: Bench, count: number) =>
  bench.until(() => bench.lines().length >= count, `${count} lines`)

test('labels that are allowed go with the first record, and name the service', async () => {
  const server = await apiServer()
  server.pods = [pod({ env: 'prod', app: 'cart-api', secret: 'x' }), pod({}, 'other')]
  folder.write(LOG, criLines(0, 1))
  const bench = await source(apiAt(server.url))
  await has(bench, 1)
  assert.deepEqual(bench.announced[0]?.origin.labels, { env: 'prod' })
  assert.equal(bench.announced[0]?.origin.fallback.service_name, 'cart-api')
  assert.match(server.requests[0] ?? '', /fieldSelector=spec.nodeName%3Dworker-7/)
})

test('a pod that the API learns of later: its records wait for the labels', async () => {
  const server = await apiServer()
  folder.write(LOG, criLines(0, 1))
  const bench = await source(apiAt(server.url))
  await bench.until(() => server.watches() === 1, 'a watch')
  assert.equal(bench.slabs.length, 0)
  server.event('ADDED', pod({ env: 'prod' }))
  await has(bench, 1)
  assert.deepEqual(
    bench.announced.map(({ origin }) => origin.labels),
    [{ env: 'prod' }],
  )
})

test('labels that come too late are sent after the records, under the same origin', async () => {
  const server = await apiServer()
  folder.write(LOG, criLines(0, 1))
  const bench = await source(apiAt(server.url), { labels_wait: 30 })
  await has(bench, 1)
  assert.equal(bench.metric('labels_wait_total'), 1)
  assert.equal(bench.announced[0]?.origin.labels, undefined)
  await bench.until(() => server.watches() === 1, 'a watch')
  server.event('MODIFIED', pod({ env: 'prod' }))
  await bench.until(() => bench.announced.length === 2, 'the origin again')
  assert.equal(bench.announced[1]?.origin.id, bench.announced[0]?.origin.id)
  assert.deepEqual(bench.announced[1]?.origin.labels, { env: 'prod' })
})

test('an API that cannot be reached holds nothing up', async () => {
  folder.write(LOG, criLines(0, 1))
  const bench = await source(apiAt('http://127.0.0.1:9'), { labels_wait: 60_000 })
  await has(bench, 1)
  const status = (): string =>
    bench.other.flatMap((message) => (message.type === 'status' ? [message.reason ?? ''] : [])).join()
  await bench.until(() => /127\.0\.0\.1:9 not reachable/.test(status()), 'the status')
  assert.equal(bench.metric('labels_wait_total'), 0)
})

test('a watch that ends goes on from its last version, and one that is too old lists again', async () => {
  const server = await apiServer()
  const bench = await source(apiAt(server.url))
  await bench.until(() => server.watches() === 1, 'a watch')
  server.event('BOOKMARK', { metadata: { resourceVersion: '41' } })
  server.endWatches()
  await bench.until(
    () => server.requests.some((text) => /watch=true.*resourceVersion=41/.test(text)),
    'the bookmark',
  )
  await bench.until(() => server.watches() === 1, 'a watch again')
  server.pods = [pod({ env: 'late' })]
  const lists = (): number => server.requests.filter((text) => !text.includes('watch=true')).length
  const before = lists()
  server.event('ERROR', { kind: 'Status', code: 410, message: 'too old resource version' })
  await bench.until(() => lists() > before, 'a new list')
  folder.write(LOG, criLines(0, 1))
  await has(bench, 1)
  assert.deepEqual(bench.announced[0]?.origin.labels, { env: 'late' })
})

test('a static pod is found by the config hash that its path carries', async () => {
  const server = await apiServer()
  const hash = 'b94ecf0d4b2f7aa9a4e5bd9ed6f3b1aa'
  server.pods = [pod({ env: 'static' }, 'mirror-uid', '8', { 'kubernetes.io/config.hash': hash })]
  folder.write(`kube-system_kube-apiserver-worker-7_${hash}/kube-apiserver/0.log`, criLines(0, 1))
  const bench = await source(apiAt(server.url))
  await has(bench, 1)
  assert.deepEqual(bench.announced[0]?.origin.labels, { env: 'static' })
  assert.equal(bench.announced[0]?.origin.fallback.service_name, 'kube-apiserver')
})

test('a kubeconfig says where the API is and who asks', async () => {
  const server = await apiServer()
  server.pods = [pod({ env: 'prod' })]
  const file = folder.path('kubeconfig')
  writeFileSync(
    file,
    `{apiVersion: v1, kind: Config, current-context: c,
      clusters: [{name: k, cluster: {server: "${server.url}", insecure-skip-tls-verify: true}}],
      users: [{name: u, user: {token: node-token}}], contexts: [{name: c, context: {cluster: k, user: u}}]}`,
  )
  const list = await httpPodsApi(await kubeconfigAccess(file)).list('worker-7', new AbortController().signal)
  assert.deepEqual(
    list.pods.map(({ labels }) => labels),
    [{ env: 'prod' }],
  )
})

test('in a cluster the service account is used, outside there is none', async () => {
  assert.equal(inClusterAccess({}, folder.root), undefined)
  writeFileSync(folder.path('token'), 'abc\n')
  writeFileSync(folder.path('ca.crt'), 'PEM')
  const access = inClusterAccess(
    { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' },
    folder.root,
  )
  assert.equal(access?.server.href, 'https://10.0.0.1/')
  assert.deepEqual((await access?.requestOptions())?.headers, { authorization: 'Bearer abc' })
})
