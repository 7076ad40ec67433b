// bench:pipeline: everything in one corpus to both backends with the journal on, beside a JSON.parse loop over the same file.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { NodeStatus } from '../protocol/status.js'
import { createCorpus } from './generate/corpus.js'

interface Measured {
  readonly recordsPerSecond: number
  readonly recordsPerCpuSecond: number
  readonly peakRssMegabytes: number
}

const BIN = fileURLToPath(new URL('../../bin/millrace', import.meta.url))
const SINKS = fileURLToPath(new URL('./sinks.js', import.meta.url))
const REFERENCE = fileURLToPath(new URL('./reference.js', import.meta.url))

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '3' },
    pods: { type: 'string', default: '1' },
    sampled: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
})
const records = Number(values.records)

const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
try {
  await main()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function main(): Promise<void> {
  const root = join(folder, 'pods')
  mkdirSync(root)
  const corpus = createCorpus({
    root,
    records,
    pods: Number(values.pods),
    seed: 1,
    startMs: Date.now() - 60_000,
  })
  corpus.write(records)
  corpus.close()
  process.stdout.write(
    `${records} records, ${Math.round(corpus.bytes() / records)} bytes each, ${values.pods} file(s)\n`,
  )
  const sinks = spawn(process.execPath, [SINKS], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const urls = await sinkUrls(sinks)
    const rounds: { millrace: Measured; reference: Measured }[] = []
    for (let round = 0; round < Number(values.rounds); round++) {
      const reference = await measureReference(root)
      const millrace = await measureMillrace(root, urls, round)
      rounds.push({ millrace, reference })
      print(`round ${round + 1}`, millrace, reference)
    }
    report(rounds)
  } finally {
    sinks.kill('SIGTERM')
  }
}

async function sinkUrls(sinks: ChildProcess): Promise<{ es: string; loki: string }> {
  for await (const line of sinks.stdout ?? []) return JSON.parse(String(line)) as { es: string; loki: string }
  throw new Error('the sinks ended before they listened')
}

async function measureMillrace(
  root: string,
  urls: { es: string; loki: string },
  round: number,
): Promise<Measured> {
  const file = join(folder, `millrace-${round}.yaml`)
  const tiers = values.sampled ? '{}' : '{ fatal: 1, error: 1, warn: 1, info: 1, debug: 1, trace: 1 }'
  writeFileSync(
    file,
    `node: { id: bench, cluster_id: bench, data_dir: ${join(folder, `data-${round}`)} }
http: { listen: 127.0.0.1:0 }
runtime: { log_level: warn }
sources: { pods: { type: kubernetes, path: ${root}, api: off } }
sampling: { tiers: ${tiers} }
backends:
  es: { type: elasticsearch, url: "${urls.es}" }
  loki: { type: loki, url: "${urls.loki}" }
`,
  )
  const started = performance.now()
  const status = await lastLine(
    spawn(process.execPath, [BIN, 'run', '--once', '--json', '-c', file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  )
  const seconds = (performance.now() - started) / 1000
  const { cpu, memory, counters, backends } = JSON.parse(status) as NodeStatus
  if (counters.readRecords !== records) throw new Error(`read ${counters.readRecords} of ${records} records`)
  for (const [name, { writtenRecords }] of Object.entries(backends)) {
    if (writtenRecords !== counters.keptRecords)
      throw new Error(`${name} has ${writtenRecords} of ${counters.keptRecords} kept records`)
  }
  rmSync(join(folder, `data-${round}`), { recursive: true, force: true })
  return {
    recordsPerSecond: records / seconds,
    recordsPerCpuSecond: records / ((cpu.userUs + cpu.systemUs) / 1e6),
    peakRssMegabytes: memory.peakRssBytes / 1e6,
  }
}

async function measureReference(root: string): Promise<Measured> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
  const text = await lastLine(
    spawn(process.execPath, [REFERENCE, ...files], { stdio: ['ignore', 'pipe', 'inherit'] }),
  )
  return JSON.parse(text) as Measured
}

async function lastLine(child: ChildProcess): Promise<string> {
  let text = ''
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  if (code !== 0) throw new Error(`a measured process ended with ${code}`)
  return text.trim().split('\n').at(-1) ?? ''
}

function print(label: string, millrace: Measured, reference: Measured): void {
  const ratio = millrace.recordsPerCpuSecond / reference.recordsPerCpuSecond
  process.stdout.write(
    `${label}: ${rounded(millrace.recordsPerSecond)} records/s, ${rounded(millrace.recordsPerCpuSecond)} records per CPU second, ` +
      `peak RSS ${Math.round(millrace.peakRssMegabytes)} MB; JSON.parse reference ${rounded(reference.recordsPerCpuSecond)} records per CPU second; ratio ${ratio.toFixed(2)}\n`,
  )
}

function report(rounds: readonly { millrace: Measured; reference: Measured }[]): void {
  const median = (pick: (round: (typeof rounds)[number]) => number): number =>
    rounds.map(pick).toSorted((a, b) => a - b)[Math.floor(rounds.length / 2)] ?? 0
  const side = (name: 'millrace' | 'reference'): Measured => ({
    recordsPerSecond: median((round) => round[name].recordsPerSecond),
    recordsPerCpuSecond: median((round) => round[name].recordsPerCpuSecond),
    peakRssMegabytes: median((round) => round[name].peakRssMegabytes),
  })
  print('median', side('millrace'), side('reference'))
  if (values.out === undefined) return
  const machine = { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version }
  const result = {
    bench: 'pipeline',
    sampled: values.sampled,
    records,
    pods: Number(values.pods),
    machine,
    median: { millrace: side('millrace'), reference: side('reference') },
    rounds,
  }
  writeFileSync(values.out, `${JSON.stringify(result, undefined, 2)}\n`)
}

function rounded(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}
