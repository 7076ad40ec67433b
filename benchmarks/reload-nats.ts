// bench:reload-nats: from the writing of a setting into the bucket to the moment every hot path of two nodes has it.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { loadavg, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { pino } from 'pino'
import { type RunningNode, startNode } from '../cli/node.js'
import { nats as natsSchema } from '../protocol/config/nats.js'
import { configSchema } from '../protocol/config/schema.js'
import { SAMPLING_KEY } from '../protocol/subjects.js'
import { openConfigBucket } from '../runtime/nats/config-bucket.js'
import { connectNats } from '../runtime/nats/connection.js'
import { startOwnNats } from '../test/real/servers/own-nats.js'

const { values } = parseArgs({ options: { changes: { type: 'string', default: '200' } } })
const CHANGES = Number(values.changes)
const NODES = 2
const GAP_MS = 20
/** A node that says nothing for so long has missed a change. */
const WAIT_MS = 5000

const folder = mkdtempSync(join(tmpdir(), 'millrace-reload-nats-'))
const applied: number[] = []
let heard: () => void = () => undefined

/** A node tells in its log when its hot path has taken new settings up. */
function listeningLog() {
  return pino(
    { level: 'info', base: null },
    {
      write(line: string) {
        if (!line.includes('"event":"settings"') || line.includes('"level":50')) return
        applied.push(performance.now())
        heard()
      },
    },
  )
}

function startOne(n: number, url: string): Promise<RunningNode> {
  mkdirSync(join(folder, `logs-${n}`))
  const config = configSchema.parse({
    node: { id: `n${n}`, cluster_id: 'bench', data_dir: join(folder, `data-${n}`) },
    http: { listen: '127.0.0.1:0' },
    sources: { app: { type: 'file', include: [join(folder, `logs-${n}`, '*.log')] } },
    backends: { vault: { type: 'archive', path: join(folder, `archive-${n}`) } },
    nats: { servers: [url] },
    runtime: { log_level: 'silent' },
  })
  return startNode({ config, once: false, log: listeningLog() })
}

async function main(): Promise<void> {
  const server = await startOwnNats()
  const nodes = await Promise.all(Array.from({ length: NODES }, (_, n) => startOne(n, server.url)))
  const options = natsSchema.parse({ servers: [server.url] })
  if (options === undefined) throw new Error('no options')
  const admin = await connectNats(options, 'bench')
  try {
    while (nodes.some((node) => node.status().actors['control']?.detail['connected'] !== true))
      await sleep(50)
    await sleep(2000)
    const bucket = await openConfigBucket(admin)
    const took: number[] = []
    for (let n = 0, revision = 0; n < CHANGES; n++) {
      applied.length = 0
      const beganMs = performance.now()
      const all = new Promise<void>((resolve) => (heard = () => applied.length >= NODES && resolve()))
      const section = { tiers: { warn: (n % 100) / 100 + 0.001 } }
      revision = await bucket.put(SAMPLING_KEY, JSON.stringify({ section }), revision)
      await Promise.race([
        all,
        sleep(WAIT_MS, undefined, { ref: false }).then(() =>
          Promise.reject(new Error(`change ${n} was missed`)),
        ),
      ])
      took.push(Math.max(...applied) - beganMs)
      await sleep(GAP_MS)
    }
    const sorted = took.toSorted((a, b) => a - b)
    const at = (share: number) =>
      (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(2)
    const machine = `${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}`
    process.stdout.write(
      `${CHANGES} settings from the bucket to the hot paths of ${NODES} nodes: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms (${machine})\n`,
    )
  } finally {
    await Promise.all(nodes.map((node) => node.stop()))
    await admin.close()
    await server.remove()
  }
}

try {
  await main()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
