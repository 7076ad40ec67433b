// Millrace as a process of its own over a corpus and the sinks: run to the end of its input, or live.
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { NodeStatus } from '../../protocol/status.js'
import { exitOf, lastLineOf, type Usage, usageOf } from './process.js'
import type { Scratch } from './scratch.js'
import type { Sinks } from './sinks.js'

export interface NodeSetup {
  readonly scratch: Scratch
  readonly name: string
  /** The pods' logs. */
  readonly root: string
  readonly sinks: Pick<Sinks, 'es' | 'loki'>
  /** The sampling section as flow YAML; left out: everything is kept. */
  readonly sampling?: string
  /** More keys of both backends, as flow YAML without braces. */
  readonly backend?: string
  /** More keys of the kubernetes source, the same way. */
  readonly source?: string
  /** Further top-level sections. */
  readonly more?: string
  /** Which actors share a thread, as flow YAML; left out: as the node decides. */
  readonly placement?: string | undefined
  readonly logLevel?: 'info' | 'warn'
}

export interface FinishedRun {
  readonly status: NodeStatus
  readonly seconds: number
  readonly cpuSeconds: number
  readonly peakRssMegabytes: number
}

export interface LiveNode {
  readonly pid: number
  status(): Promise<NodeStatus>
  /** /metrics, as Prometheus reads it. */
  metrics(): Promise<string>
  usage(): Usage
  stop(): Promise<void>
}

export const KEEP_ALL = '{ tiers: { fatal: 1, error: 1, warn: 1, info: 1, debug: 1, trace: 1 } }'
const BIN = fileURLToPath(new URL('../../../bin/millrace', import.meta.url))

export function writeNodeConfig(setup: NodeSetup): string {
  const { scratch, name, root, sinks } = setup
  const data = scratch.fresh(`data-${name}`)
  const file = join(scratch.folder, `${name}.yaml`)
  const backend = setup.backend === undefined ? '' : `, ${setup.backend}`
  const placement = setup.placement === undefined ? '' : `, placement: ${setup.placement}`
  const source = setup.source === undefined ? '' : `, ${setup.source}`
  writeFileSync(
    file,
    `node: { id: bench, cluster_id: bench, data_dir: ${JSON.stringify(data)} }
http: { listen: 127.0.0.1:0 }
runtime: { log_level: ${setup.logLevel ?? 'warn'}${placement} }
sources: { pods: { type: kubernetes, path: ${JSON.stringify(root)}, api: off${source} } }
sampling: ${setup.sampling ?? KEEP_ALL}
backends:
  es: { type: elasticsearch, url: "${sinks.es}"${backend} }
  loki: { type: loki, url: "${sinks.loki}"${backend} }
${setup.more ?? ''}
`,
  )
  return file
}

/** `run --once`: all of the root to both sinks. Rejects when a count is wrong. */
export async function runNodeOnce(setup: NodeSetup, records: number): Promise<FinishedRun> {
  const file = writeNodeConfig(setup)
  const startedMs = performance.now()
  const status = JSON.parse(await lastLineOf([BIN, 'run', '--once', '--json', '-c', file])) as NodeStatus
  const seconds = (performance.now() - startedMs) / 1000
  setup.scratch.remove(`data-${setup.name}`)
  demandCounts(status, records)
  return {
    status,
    seconds,
    cpuSeconds: (status.cpu.userUs + status.cpu.systemUs) / 1e6,
    peakRssMegabytes: status.memory.peakRssBytes / 1e6,
  }
}

/** A fast wrong result is none. */
function demandCounts({ counters, backends }: NodeStatus, records: number): void {
  if (counters.readRecords !== records) throw new Error(`read ${counters.readRecords} of ${records} records`)
  for (const [name, { writtenRecords }] of Object.entries(backends))
    if (writtenRecords !== counters.keptRecords)
      throw new Error(`${name} has ${writtenRecords} of ${counters.keptRecords} kept records`)
}

/** A node that follows the root until it is stopped. Resolves when it is up. */
export async function startLiveNode(setup: NodeSetup): Promise<LiveNode> {
  const file = writeNodeConfig({ ...setup, logLevel: 'info' })
  const child = spawn(process.execPath, [BIN, 'run', '-c', file], { stdio: ['ignore', 'ignore', 'pipe'] })
  const pid = child.pid ?? 0
  const exited = exitOf(child)
  let log = ''
  const address = await new Promise<string>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-100_000)
      const found = /"http":"([^"]+)"/.exec(log)?.[1]
      if (found !== undefined) resolve(found)
    })
    void exited.then((code) => reject(new Error(`millrace ended with ${code}:\n${log}`)), reject)
  })
  const get = async (path: string): Promise<Response> => fetch(`http://${address}${path}`)
  return {
    pid,
    status: async () => (await (await get('/status')).json()) as NodeStatus,
    metrics: async () => (await get('/metrics')).text(),
    usage() {
      const usage = usageOf(pid)
      if (usage === undefined) throw new Error(`millrace has ended:\n${log}`)
      return usage
    },
    async stop() {
      child.kill('SIGTERM')
      const code = await exited
      if (code !== 0) throw new Error(`millrace ended with ${code}:\n${log}`)
      setup.scratch.remove(`data-${setup.name}`)
    },
  }
}

/** CPU and wall seconds of a start and an end without a record in between: what every other figure includes. */
export async function measureStart(
  scratch: Scratch,
  sinks: Sinks,
  more: Pick<NodeSetup, 'more'> = {},
): Promise<FinishedRun> {
  return runNodeOnce({ scratch, name: 'start', root: scratch.fresh('no-pods'), sinks, ...more }, 0)
}
