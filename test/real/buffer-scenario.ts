// Nodes with the roles agent and writer on one nats-server, each its own process with its own folder, for tests.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomUUID } from 'node:crypto'
import { createCorpus, type Corpus, type CorpusOptions } from '../../benchmarks/generate/corpus.js'
import type { NodeStatus } from '../../protocol/status.js'
import type { Millrace, Scenario } from './scenario.js'
import { startMillrace } from './scenario.js'
import { serverUrl } from './servers/settings.js'

export interface BufferScenario extends Scenario {
  /** A node's configuration file. */
  file(node: string): string
  start(node: string, ...args: readonly string[]): Millrace
  /** The same with a wall clock that a file shifts, in milliseconds. */
  startShifted(node: string, clockFile: string): Millrace
  /** Runs the node until its input has ended; throws its log when it fails. */
  runOnce(node: string): Promise<void>
  /** What the running node says of itself. */
  status(node: Millrace): Promise<NodeStatus>
  /** An agent's records; their numbers begin where those of the agent before end. */
  corpus(agent: string, options: Omit<CorpusOptions, 'root'>): Corpus
}

export interface BufferScenarioOptions {
  readonly natsUrls: readonly string[]
  /** Where some nodes look for NATS instead. */
  readonly urlOf?: Readonly<Record<string, string>>
  readonly agents: readonly string[]
  readonly writers: readonly string[]
  /** Further keys of the section buffer, as flow YAML without braces. */
  readonly buffer?: string
  /** Further keys of the section nats. */
  readonly nats?: string
  /** Further keys of both backends. */
  readonly backend?: string
  readonly esUrl?: string
  /** Further sections of agents. */
  readonly extra?: string
}

const RETRY = 'retry: { initial: 50ms, max: 500ms }'

export function createBufferScenario(options: BufferScenarioOptions): BufferScenario {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-buffer-'))
  const clusterId = `test-${randomUUID().slice(0, 8)}`
  const esUrl = options.esUrl ?? serverUrl('es')
  const lokiUrl = serverUrl('loki')
  const podsOf = (agent: string) => join(folder, `pods-${agent}`)
  const more = (text: string | undefined) => (text === undefined ? '' : `, ${text}`)
  const backends = `backends:
  es: { type: elasticsearch, url: "${esUrl}", index: "${clusterId}-%Y-%m-%d"${more(options.backend)} }
  loki: { type: loki, url: "${lokiUrl}"${more(options.backend)} }
`
  const sources = (agent: string) => `sources:
  pods: { type: kubernetes, path: ${podsOf(agent)}, api: off }
sampling:
  tiers: { fatal: 1, error: 1, warn: 1, info: 1, debug: 1, trace: 1 }
`
  const urlsOf = (name: string) => {
    const own = options.urlOf?.[name]
    return own === undefined ? options.natsUrls : [own]
  }
  const fileOf = (node: string) => join(folder, `${node}.yaml`)
  function write(name: string, role: string, rest: string, buffer: string): void {
    writeFileSync(
      fileOf(name),
      `node: { id: ${name}, cluster_id: ${clusterId}, role: ${role}, data_dir: ${folder}/data-${name} }
http: { listen: 127.0.0.1:0 }
nats: { servers: ${JSON.stringify(urlsOf(name))}, ${RETRY}${more(options.nats)} }
buffer: { mode: jetstream${buffer}${more(options.buffer)} }
${rest}`,
    )
  }
  for (const agent of options.agents) {
    mkdirSync(podsOf(agent))
    write(agent, 'agent', `${sources(agent)}${options.extra ?? ''}`, ', backends: [es, loki]')
  }
  for (const writer of options.writers) write(writer, 'writer', backends, '')
  const start = (node: string, ...args: readonly string[]) =>
    startMillrace({ configFile: fileOf(node) }, ...args)
  const startShifted = (node: string, clockFile: string) =>
    startMillrace({ configFile: fileOf(node), env: shiftedBy(clockFile) }, 'run')
  return {
    folder,
    podsRoot: podsOf(options.agents[0] ?? ''),
    dataDir: join(folder, `data-${options.agents[0] ?? ''}`),
    configFile: fileOf(options.agents[0] ?? ''),
    esUrl,
    lokiUrl,
    index: `${clusterId}-*`,
    clusterId,
    remove: () => rmSync(folder, { recursive: true, force: true }),
    file: fileOf,
    start,
    startShifted,
    async runOnce(node) {
      const { code, log } = await start(node, 'run', '--once').exited
      if (code !== 0) throw new Error(`${node} ended with ${code}:\n${log}`)
    },
    async status(node) {
      const http = /"http":"([^"]+)"/.exec(await node.said(/"msg":"running"/))?.[1] ?? ''
      return (await (await fetch(`http://${http}/status`)).json()) as NodeStatus
    },
    corpus: (agent, made) =>
      createCorpus({ ...made, root: podsOf(agent), namespace: made.namespace ?? `of-${agent}` }),
  }
}

const shiftedBy = (clockFile: string) => ({
  NODE_OPTIONS: `--import ${new URL('../chaos/clock-shift.js', import.meta.url).href}`,
  MILLRACE_CHAOS_CLOCK_FILE: clockFile,
})

/** What several corpora together expect. */
export function expectedOf(...corpora: readonly Corpus[]): ReadonlyMap<string, number> {
  const sum = new Map<string, number>()
  for (const { expected } of corpora)
    for (const [key, count] of expected) sum.set(key, (sum.get(key) ?? 0) + count)
  return sum
}
