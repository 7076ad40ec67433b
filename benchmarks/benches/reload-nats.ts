// From the writing of a setting into the bucket of a real nats-server to the moment every hot path of two nodes has it.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { NatsConnection } from 'nats'
import { type Logger, pino } from 'pino'
import { type RunningNode, startNode } from '../../cli/node.js'
import { nats as natsSchema } from '../../protocol/config/nats.js'
import { configSchema } from '../../protocol/config/schema.js'
import { SAMPLING_KEY } from '../../protocol/subjects.js'
import { openConfigBucket } from '../../runtime/nats/config-bucket.js'
import { connectNats } from '../../runtime/nats/connection.js'
import type { Bench, Measurement } from '../harness/bench.js'
import { createLatencies } from '../harness/histogram.js'
import type { Kit } from '../harness/kit.js'
import { startMeasuredNats } from '../harness/nats.js'

const NODES = 2
const GAP_MS = 20
/** A node that says nothing for so long has missed a change. */
const WAIT_MS = 5000
/** What starting costs is not idling. */
const SETTLE_MS = 2000
const REFERENCE = 'a request to the server'
const CHANGE = 'a change'

interface Scene {
  readonly admin: NatsConnection
  readonly applied: Applied
}

export const reloadNatsBench: Bench = {
  name: 'reload-nats',
  summary: 'a setting is written into the cluster’s bucket → every hot path of two nodes has it',
  metrics: [
    { key: 'p99Millis', label: 'p99', unit: 'ms', better: 'lower', digits: 2 },
    { key: 'p50Millis', label: 'p50', unit: 'ms', better: 'lower', digits: 2 },
    { key: 'mostMillis', label: 'most', unit: 'ms', better: 'lower', digits: 2 },
  ],
  ratios: ['p50Millis'],
  rounds: { default: 1, quick: 1, warmUp: 0 },
  options: {
    changes: {
      value: 'n',
      default: '300',
      quick: '20',
      text: 'settings that are written one after the other',
    },
  },
  async open(options, kit) {
    const changes = options.count('changes', 1)
    const scene = await openScene(kit)
    return {
      cases: [
        { name: REFERENCE, role: 'reference', measure: () => measureRequests(scene, changes) },
        { name: CHANGE, role: 'measured', against: REFERENCE, measure: () => measureChanges(scene, changes) },
      ],
      bars: [{ what: 'a change reaches every hot path', case: CHANGE, metric: 'p99Millis', most: 20 }],
    }
  },
}

async function openScene(kit: Kit): Promise<Scene> {
  const { url } = await startMeasuredNats(kit)
  const applied = createApplied()
  const nodes = await Promise.all(Array.from({ length: NODES }, (_, n) => startOne(kit, n, url, applied)))
  kit.later(() => Promise.all(nodes.map((node) => node.stop())))
  const options = natsSchema.parse({ servers: [url] })
  if (options === undefined) throw new Error('no options')
  const admin = await connectNats(options, 'bench reload-nats')
  kit.later(() => admin.close())
  while (nodes.some((node) => node.status().actors['control']?.detail['connected'] !== true)) await sleep(50)
  await sleep(SETTLE_MS)
  return { admin, applied }
}

function startOne({ scratch }: Kit, n: number, url: string, applied: Applied): Promise<RunningNode> {
  const folder = scratch.fresh(`reload-nats-${n}`)
  mkdirSync(join(folder, 'logs'))
  const config = configSchema.parse({
    node: { id: `n${n}`, cluster_id: 'bench', data_dir: join(folder, 'data') },
    http: { listen: '127.0.0.1:0' },
    sources: { app: { type: 'file', include: [join(folder, 'logs', '*.log')] } },
    backends: { vault: { type: 'archive', path: join(folder, 'archive') } },
    nats: { servers: [url] },
    runtime: { log_level: 'silent' },
  })
  return startNode({ config, once: false, log: applied.log() })
}

/** Times at which nodes have said in their logs that their hot paths have new settings. */
interface Applied {
  log(): Logger
  /** When the last of all nodes has said so, from now on. */
  all(): Promise<number>
}

function createApplied(): Applied {
  let left = 0
  let done: (atMs: number) => void = () => undefined
  function write(line: string): void {
    if (!line.includes('"event":"settings"') || line.includes('"level":50')) return
    if (--left === 0) done(performance.now())
  }
  return {
    log: () => pino({ level: 'info', base: null }, { write }),
    all() {
      left = NODES
      const missed = new Promise<never>((_, reject) =>
        setTimeout(
          () => reject(new Error(`a node has missed a change for ${WAIT_MS / 1000} s`)),
          WAIT_MS,
        ).unref(),
      )
      return Promise.race([new Promise<number>((resolve) => (done = resolve)), missed])
    },
  }
}

/** What asking the server, and hearing from it, takes by itself. */
async function measureRequests({ admin }: Scene, times: number): Promise<Measurement> {
  const took = createLatencies()
  for (let n = 0; n < times; n++) {
    const begunMs = performance.now()
    await admin.flush()
    took.addMillis(performance.now() - begunMs)
    await sleep(GAP_MS)
  }
  return summary(took)
}

async function measureChanges({ admin, applied }: Scene, times: number): Promise<Measurement> {
  const bucket = await openConfigBucket(admin)
  const took = createLatencies()
  let revision = (await bucket.get(SAMPLING_KEY))?.revision ?? 0
  for (let n = 0; n < times; n++) {
    const section = { tiers: { warn: (n % 100) / 100 + 0.001 } }
    const begunMs = performance.now()
    const all = applied.all()
    revision = await bucket.put(SAMPLING_KEY, JSON.stringify({ section }), revision)
    took.addMillis((await all) - begunMs)
    await sleep(GAP_MS)
  }
  return summary(took)
}

function summary(took: ReturnType<typeof createLatencies>): Measurement {
  return { p50Millis: took.at(50), p99Millis: took.at(99), mostMillis: took.mostMillis() }
}
