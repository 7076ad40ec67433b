// bench:reload: from the arrival of a new sampling section to the moment every hot path has it, on an idle node and under full load.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { type RunningNode, startNode } from '../cli/node.js'
import { loadConfig, type LoadedConfig } from '../runtime/config/load.js'
import { createTextMemory, openLiveText } from '../runtime/live-text.js'
import { createLogger } from '../runtime/log.js'
import { createCorpus } from './generate/corpus.js'

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '600000' },
    reloads: { type: 'string', default: '1000' },
    'idle-reloads': { type: 'string', default: '200' },
    out: { type: 'string' },
  },
})
const SINKS = fileURLToPath(new URL('./sinks.js', import.meta.url))
const GAP_MS = 5
const RULES = [
  { when: 'error_rate > 0.05 AND p99_latency > 200ms', keep: 1, for: '30s' },
  { when: 'status_code IN [500, 502, 504]', keep: 1 },
]

interface Result {
  readonly name: string
  readonly reloads: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** The same wake-up and answer of a thread that does nothing else, each time beside a reload. */
  readonly echo: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number }
}

const echoMemory = createTextMemory(16, '')
const echo = new Worker(new URL('./echo.js', import.meta.url), { workerData: echoMemory })
const folder = mkdtempSync(join(tmpdir(), 'millrace-reload-'))
try {
  await main()
} finally {
  rmSync(folder, { recursive: true, force: true })
  await echo.terminate()
}

async function main(): Promise<void> {
  const sinks = spawn(process.execPath, [SINKS], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const urls = await sinkUrls(sinks)
    const results = [...(await idle(urls)), await loaded(urls)]
    for (const { name, reloads, echo, ...reload } of results) {
      process.stdout.write(`${name}: ${reloads} reloads, ${figures(reload)}\n`)
      process.stdout.write(`  beside it a thread that only answers: ${figures(echo)}\n`)
    }
    const machine = { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version }
    const result = { bench: 'reload', boundMs: 20, machine, results }
    if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(result, undefined, 2)}\n`)
  } finally {
    sinks.kill('SIGTERM')
  }
}

/** A section as it arrives over a connection, and the whole file as a signal has it read. */
async function idle(urls: Urls): Promise<Result[]> {
  const { node, file } = await start('idle', urls)
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
  // What starting costs is not idling.
  await pause(3000)
  const before = process.cpuUsage()
  const startedMs = performance.now()
  await pause(5000)
  const { user, system } = process.cpuUsage(before)
  const share = (user + system) / 1000 / (performance.now() - startedMs)
  process.stdout.write(`an idle node of ${cpus().length} cores takes ${(100 * share).toFixed(2)} % of one\n`)
  const section = await measure('idle, a section', node, Number(values['idle-reloads']), reloadSection)
  const whole = await measure('idle, the file', node, Number(values['idle-reloads']), async () => {
    const startedMs = performance.now()
    await node.sampling.reload(loadConfig(file).config.sampling)
    return performance.now() - startedMs
  })
  await node.stop()
  return [section, whole]
}

/** While a corpus is read through the default sampling at full speed; it ends when the corpus does. */
async function loaded(urls: Urls): Promise<Result> {
  const root = join(folder, 'loaded')
  mkdirSync(root)
  const records = Number(values.records)
  const corpus = createCorpus({ root, records, pods: 10, seed: 1, startMs: Date.now() - 60_000 })
  corpus.write(records)
  corpus.close()
  const { node } = await start('loaded', urls)
  const busy = (): boolean => node.status().counters.readRecords < records
  const startedMs = performance.now()
  const result = await measure(
    'under full load, a section',
    node,
    Number(values.reloads),
    reloadSection,
    busy,
  )
  const seconds = (performance.now() - startedMs) / 1000
  const read = node.status().counters.readRecords
  process.stdout.write(
    `meanwhile ${Math.round(read / seconds).toLocaleString('en-US')} records/s were read\n`,
  )
  await node.stop()
  return result
}

async function reloadSection(node: RunningNode, n: number): Promise<number> {
  const section = { info: { target_per_second: 100 + (n % 2) }, rules: RULES }
  return (await node.sampling.reload(section)).appliedMs
}

async function measure(
  name: string,
  node: RunningNode,
  reloads: number,
  reload: (node: RunningNode, n: number) => Promise<number>,
  goOn: () => boolean = () => true,
): Promise<Result> {
  const waits: number[] = []
  const echoes: number[] = []
  for (let n = 0; n < reloads && goOn(); n++) {
    echoes.push(await askEcho())
    waits.push(await reload(node, n))
    await new Promise((resolve) => setTimeout(resolve, GAP_MS))
  }
  return { name, reloads: waits.length, ...quantiles(waits), echo: quantiles(echoes) }
}

function quantiles(waits: readonly number[]): Result['echo'] {
  const sorted = waits.toSorted((a, b) => a - b)
  const at = (q: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
}

function figures({ p50Ms, p99Ms, maxMs }: Result['echo']): string {
  return `p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms, max ${maxMs.toFixed(2)} ms`
}

async function askEcho(): Promise<number> {
  const startedMs = performance.now()
  const live = openLiveText(echoMemory)
  await live.whenApplied(live.publish('x'), 5000)
  return performance.now() - startedMs
}

interface Urls {
  readonly es: string
  readonly loki: string
}

async function start(name: string, urls: Urls): Promise<{ node: RunningNode; file: string }> {
  const root = join(folder, name)
  mkdirSync(root, { recursive: true })
  const file = join(folder, `${name}.yaml`)
  writeFileSync(
    file,
    `node: { id: bench, cluster_id: bench, data_dir: ${join(folder, `data-${name}`)} }
http: { listen: 127.0.0.1:0 }
runtime: { log_level: silent }
sources: { pods: { type: kubernetes, path: ${root}, api: off } }
sampling: { rules: ${JSON.stringify(RULES)} }
backends:
  es: { type: elasticsearch, url: "${urls.es}" }
  loki: { type: loki, url: "${urls.loki}" }
`,
  )
  const { config }: LoadedConfig = loadConfig(file)
  return { node: await startNode({ config, once: false, log: createLogger('silent') }), file }
}

async function sinkUrls(sinks: ChildProcess): Promise<Urls> {
  for await (const line of sinks.stdout ?? []) return JSON.parse(String(line)) as Urls
  throw new Error('the sinks ended before they listened')
}
