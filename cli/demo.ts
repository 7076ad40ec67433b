// `millrace demo`: a synthetic cluster of pods, the real pipeline over it, stand-in backends unless told others, and a live table.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { paceTraffic } from '../benchmarks/generate/pace.js'
import { createTraffic } from '../benchmarks/generate/traffic.js'
import { type Config, configSchema } from '../protocol/config/schema.js'
import { systemClock } from '../runtime/clock.js'
import { createLogger } from '../runtime/log.js'
import { makeFolder } from '../runtime/make-folder.js'
import { startElasticsearchStandIn } from '../test/stand-ins/elasticsearch.js'
import { startLokiStandIn } from '../test/stand-ins/loki.js'
import { startNode } from './node.js'
import { positiveNumber } from './options.js'
import { listenForSignals } from './signals.js'
import { renderTop } from './top-table.js'

interface DemoFlags {
  readonly pods: number
  readonly rate: number
  readonly seconds?: number
  readonly keep?: boolean
}

interface Backends {
  readonly es: string
  readonly loki: string
  readonly standIns: boolean
  close(): Promise<void>
}

const DRAW_EVERY_MS = 1000
const DATA_BYTES_MAX = '256MiB'
/** As a real cluster: some text, some long lines in pieces, unequal pods, rotations, and now and then an outage of a service. */
const TRAFFIC = {
  seed: 1,
  namespace: 'demo',
  services: 8,
  texts: 0.04,
  partials: 0.0005,
  rotateBytes: 1024 * 1024,
  keepRotated: 5,
  skew: 0.5,
} as const
const BURST = { everyMs: 30_000, lengthMs: 5000, factor: 1.5 } as const

export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'a synthetic cluster under a temporary folder through the real pipeline; ES_URL and LOKI_URL name real backends',
    )
    .option('--pods <n>', 'pods that write', positiveNumber, 40)
    .option('--rate <n>', 'records per second of all pods', positiveNumber, 2000)
    .option('--seconds <n>', 'stop by itself after this time', positiveNumber)
    .option('--keep', 'leave the temporary folder')
    .action(demo)
}

async function demo(flags: DemoFlags): Promise<void> {
  const { stopAsked } = listenForSignals()
  const folder = mkdtempSync(join(tmpdir(), 'millrace-demo-'))
  const backends = await openBackends()
  const node = await startNode({
    config: demoConfig(folder, backends),
    once: false,
    log: createLogger('warn'),
    stopAsked,
  })
  const root = join(folder, 'pods')
  makeFolder(root)
  const traffic = createTraffic({ root, ...TRAFFIC, pods: flags.pods })
  const ending = new AbortController()
  const writing = paceTraffic(traffic, { rate: flags.rate, burst: BURST }, systemClock, ending.signal)
  let last = node.status()
  const drawing = setInterval(() => {
    const status = node.status()
    draw(`${headline(folder, backends, node.httpAddress)}\n${renderTop(status, last)}`)
    last = status
  }, DRAW_EVERY_MS)
  const limit = flags.seconds === undefined ? [] : [after(flags.seconds * 1000)]
  try {
    await Promise.race([stopAsked, node.finished, writing, ...limit])
  } finally {
    ending.abort()
    await writing.catch(() => undefined)
    clearInterval(drawing)
    await node.stop()
    traffic.close()
    await backends.close()
    if (flags.keep !== true) rmSync(folder, { recursive: true, force: true })
  }
  const { counters, backends: written } = node.status()
  const perBackend = Object.entries(written).map(([name, { writtenRecords }]) => `${name} ${writtenRecords}`)
  process.stdout.write(
    `\nstopped: ${traffic.written()} records written by the pods, ${counters.readRecords} records read, ${counters.keptRecords} kept, delivered to ${perBackend.join(', ')}\n`,
  )
}

async function openBackends(): Promise<Backends> {
  const { ES_URL, LOKI_URL } = process.env
  const es = ES_URL === undefined ? await startElasticsearchStandIn({ store: 'count' }) : undefined
  const loki = LOKI_URL === undefined ? await startLokiStandIn({ store: 'count' }) : undefined
  return {
    es: es?.url ?? (ES_URL as string),
    loki: loki?.url ?? (LOKI_URL as string),
    standIns: es !== undefined && loki !== undefined,
    async close() {
      await es?.close()
      await loki?.close()
    },
  }
}

/** The embedded defaults, checked like any other configuration. */
function demoConfig(folder: string, { es, loki }: Backends): Config {
  return configSchema.parse({
    node: { id: 'demo', cluster_id: 'demo', data_dir: join(folder, 'data') },
    http: { listen: '127.0.0.1:0' },
    sources: { pods: { type: 'kubernetes', path: join(folder, 'pods'), api: 'off' } },
    sampling: { info: { services: { 'payment-api': 0.1, 'health-checker': 0.001 } } },
    journal: { bytes_max: DATA_BYTES_MAX, segment_bytes: '16MiB' },
    backends: {
      es: { type: 'elasticsearch', url: es },
      loki: { type: 'loki', url: loki },
      archive: { type: 'archive', path: join(folder, 'archive') },
    },
  })
}

function headline(folder: string, { es, loki, standIns }: Backends, http: string): string {
  const where = standIns ? 'stand-in backends' : 'backends'
  return `millrace demo: ${folder}  ${where} ${es} ${loki}  status http://${http}/status  (Ctrl-C stops)`
}

function draw(text: string): void {
  // Only a terminal is cleared; a pipe or a file gets one table after the other.
  process.stdout.write(process.stdout.isTTY ? `\x1b[H\x1b[2J${text}\n` : `${text}\n`)
}

function after(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs))
}
