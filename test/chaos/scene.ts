// What a run takes place in: backends behind proxies, and nodes with their logs, disks, configurations and clients.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Corpus, createCorpus } from '../../benchmarks/generate/corpus.js'
import { seededRandom } from '../../benchmarks/generate/random.js'
import type { BackendName } from './backend-faults.js'
import { startBackends, type Backends } from './backends.js'
import { type Disk, mountDisk } from './disk.js'
import { createNats, type OwnNats } from './nats.js'
import { type Liar, startLiar } from './liar.js'
import { type ChaosNode, createNode } from './node.js'
import type { Plan, Shape } from './plan.js'
import { type Proxy, startProxy } from './proxy.js'
import { type Pusher, startPusher } from './pusher.js'

export interface Member {
  readonly node: ChaosNode
  readonly disk: Disk
  readonly corpus: Corpus
  readonly namespaces: { readonly files: string; readonly pushes: string }
  readonly pushAddress: string
  /** Until then a process that ends by itself is no violation: its disk or its descriptors are gone. Monotonic, ms. */
  excusedUntilMs: number
}

export interface Scene {
  readonly folder: string
  readonly backends: Backends
  readonly proxies: Readonly<Record<BackendName, Proxy>> & { readonly nats?: Proxy }
  readonly liar: Liar | undefined
  readonly nats: OwnNats | undefined
  readonly members: readonly Member[]
  startPushers(): Pusher[]
  close(): Promise<void>
}

/** Of the first record. */
const BEFORE_MS = 60_000
const ENDED_BY_SIGNAL = 143
/**
 * The records' times pass half as fast as they are written, so that bursts do not run ahead of the clock. Much denser, each look-up at Loki
 * would answer with the whole run.
 */
const stepNsOf = ({ recordsPerSecond }: Shape) => Math.round(1e9 / (2 * recordsPerSecond))

export interface SceneOptions {
  readonly plan: Plan
  /** One acknowledged write of this backend is to be lost on the way. */
  readonly lie?: BackendName | undefined
}

export async function openScene({ plan, lie }: SceneOptions): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-chaos-'))
  const startMs = Date.now() - BEFORE_MS
  const backends = await startBackends(plan.backends, startMs)
  const nats = plan.shape.nats ? createNats(await freePort(), join(folder, 'nats')) : undefined
  nats?.start()
  const proxies = {
    es: await startProxy(backends.url.es),
    loki: await startProxy(backends.url.loki),
    ...(nats === undefined ? {} : { nats: await startProxy(nats.url) }),
  }
  const liar = lie === undefined ? undefined : await startLiar(proxies[lie].url)
  const urls = { es: proxies.es.url, loki: proxies.loki.url, ...(lie && liar ? { [lie]: liar.url } : {}) }
  const members: Member[] = []
  for (let n = 0; n < plan.shape.nodes; n++)
    members.push(
      await createMember(folder, n, plan, { ...urls, nats: proxies.nats?.url }, backends.clusterId, startMs),
    )
  /** The run itself is ended: nothing of it stays behind, neither processes nor mounts. */
  function ended(): void {
    for (const { node, disk } of members) {
      node.signal('SIGKILL')
      disk.unmount()
    }
    void nats?.kill()
    rmSync(folder, { recursive: true, force: true })
    // Other runs of this process have their own to clear away.
    setImmediate(() => process.exit(ENDED_BY_SIGNAL))
  }
  const endings = ['SIGTERM', 'SIGINT'] as const
  for (const signal of endings) process.once(signal, ended)
  return {
    folder,
    backends,
    proxies,
    liar,
    nats,
    members,
    startPushers: () =>
      members.map(({ pushAddress, namespaces }, n) =>
        startPusher({
          address: pushAddress,
          namespace: namespaces.pushes,
          startMs,
          random: seededRandom(plan.seed + 1000 + n),
        }),
      ),
    async close() {
      for (const signal of endings) process.off(signal, ended)
      await Promise.all(members.map(({ node }) => node.kill()))
      for (const { corpus, disk } of members) {
        corpus.close()
        disk.unmount()
      }
      await nats?.kill()
      await liar?.close()
      await Promise.all(Object.values(proxies).map((proxy) => proxy.close()))
      await backends.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function createMember(
  folder: string,
  n: number,
  { seed, shape }: Plan,
  urls: Urls,
  clusterId: string,
  startMs: number,
): Promise<Member> {
  const home = join(folder, `node-${n}`)
  const pods = join(home, 'pods')
  mkdirSync(pods, { recursive: true })
  const disk = mountDisk(join(home, 'disk'))
  const namespaces = { files: `files${n}`, pushes: `pushes${n}` }
  const paths = {
    configFile: join(home, 'millrace.yaml'),
    dataDir: join(disk.folder, 'data'),
    clockFile: join(home, 'clock'),
    diskFile: join(home, 'disk-fault'),
    http: `127.0.0.1:${await freePort()}`,
  }
  const pushAddress = `127.0.0.1:${await freePort()}`
  writeFileSync(paths.clockFile, '0')
  writeFileSync(paths.diskFile, '')
  writeFileSync(
    paths.configFile,
    configText({ ...paths, id: `chaos-${n}`, clusterId, pods, pushAddress, namespaces, urls, shape }),
  )
  const corpus = createCorpus({
    root: pods,
    records: 10_000_000,
    hugeLines: 500,
    pods: shape.podsPerNode,
    seed: seed + n,
    startMs,
    stepNs: stepNsOf(shape),
    namespace: namespaces.files,
    zoo: true,
    rotateBytes: shape.rotateBytes,
    gzipRotated: shape.gzipRotated,
  })
  const excused = () => performance.now() < member.excusedUntilMs
  const node = createNode(paths, excused)
  const member: Member = { node, disk, corpus, namespaces, pushAddress, excusedUntilMs: 0 }
  return member
}

type Urls = Readonly<Record<BackendName, string>> & { readonly nats: string | undefined }

interface ConfigParts {
  readonly id: string
  readonly clusterId: string
  readonly dataDir: string
  readonly http: string
  readonly pods: string
  readonly pushAddress: string
  readonly namespaces: Member['namespaces']
  readonly urls: Urls
  readonly shape: Shape
}

/** Short waits throughout, so that a run of half a minute sees each of them end. */
function configText(parts: ConfigParts): string {
  const { shape, urls } = parts
  const more =
    'timeout: 4s, batch_age_max: 200ms, retry: { initial: 50ms, max: 500ms }, breaker: { window: 4s, requests_min: 3, open: 1s }'
  const groups =
    'ingest: [source.*, parse, enrich, sample], journal: [journal], es: [writer.es], loki: [writer.loki]'
  const audit = shape.audit ? '{ after: 3s, gather: 1s, queries_per_second: 10 }' : '{ enabled: false }'
  const nats = urls.nats === undefined ? '' : natsText(urls.nats, shape.buffer)
  return `node: { id: ${parts.id}, cluster_id: ${parts.clusterId}, data_dir: ${parts.dataDir} }
http: { listen: "${parts.http}" }
sources:
  pods: { type: kubernetes, path: ${parts.pods}, api: off, poll: 50ms, rescan: 200ms }
  push: { type: http, listen: "${parts.pushAddress}", timeout: 3s, fields: { namespace: ${parts.namespaces.pushes}, service_name: pushed } }
sampling:
  tiers: { fatal: 1, error: 1, warn: 1, info: 1, debug: 1, trace: 1 }
records: { frame_bytes: ${shape.frameBytes}, batch_age_max: 100ms }
journal: { bytes_max: ${shape.journalBytes}, segment_bytes: ${shape.journalBytes / 4} }
backends:
  es: { type: elasticsearch, url: "${urls.es}", index: "${parts.clusterId}-%Y-%m-%d", ${more} }
  loki: { type: loki, url: "${urls.loki}", ${more} }
audit: ${audit}
${nats}runtime:
  restarts_max: 100
  restart_window: 10s
  shutdown: 5s
  slots: ${shape.slots}
${shape.spread ? `  placement: { ${groups} }\n` : ''}`
}

function natsText(url: string, mode: Shape['buffer']): string {
  return `nats: { servers: ["${url.replace('http:', 'nats:')}"], retry: { max: 1s }, streams: { logs_bytes_max: 256MiB } }
buffer: { mode: ${mode}, ack_wait: 3s, publish_timeout: 1s }
`
}

/** A port that is free now; a node needs the same one after each of its restarts. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
