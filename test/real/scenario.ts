// A scenario against the real servers: a temporary folder with a corpus, a config file, and millrace as its own process.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { randomUUID } from 'node:crypto'
import { serverUrl } from './servers/settings.js'

export interface Scenario {
  readonly folder: string
  readonly podsRoot: string
  readonly dataDir: string
  readonly configFile: string
  readonly esUrl: string
  readonly lokiUrl: string
  /** Index pattern of this scenario's documents. */
  readonly index: string
  /** The stream label that only this scenario's records have. */
  readonly clusterId: string
  remove(): void
}

export interface ScenarioOptions {
  readonly esUrl?: string
  readonly lokiUrl?: string
  readonly dataDir?: string
  /** Further top-level sections, as YAML text. */
  readonly extra?: string
  /** Further keys of both backends, as flow YAML without braces. */
  readonly backend?: string
}

export interface Exit {
  readonly code: number | null
  readonly signal: string | null
  readonly log: string
}

const BIN = fileURLToPath(new URL('../../../bin/millrace', import.meta.url))

export function createScenario(options: ScenarioOptions = {}): Scenario {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-real-'))
  const clusterId = `test-${randomUUID().slice(0, 8)}`
  const esUrl = options.esUrl ?? serverUrl('es')
  const lokiUrl = options.lokiUrl ?? serverUrl('loki')
  const podsRoot = join(folder, 'pods')
  const dataDir = options.dataDir ?? join(folder, 'data')
  mkdirSync(podsRoot)
  const configFile = join(folder, 'millrace.yaml')
  const more = options.backend === undefined ? '' : `, ${options.backend}`
  writeFileSync(
    configFile,
    `node: { id: node-1, cluster_id: ${clusterId}, data_dir: ${dataDir} }
http: { listen: 127.0.0.1:0 }
sources:
  pods: { type: kubernetes, path: ${podsRoot}, api: off }
sampling:
  tiers: { fatal: 1, error: 1, warn: 1, info: 1, debug: 1, trace: 1 }
backends:
  es: { type: elasticsearch, url: "${esUrl}", index: "${clusterId}-%Y-%m-%d"${more} }
  loki: { type: loki, url: "${lokiUrl}"${more} }
${options.extra ?? ''}
`,
  )
  return {
    folder,
    podsRoot,
    dataDir,
    configFile,
    esUrl,
    lokiUrl,
    index: `${clusterId}-*`,
    clusterId,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

export interface Millrace {
  readonly process: ChildProcess
  readonly exited: Promise<Exit>
  log(): string
  /** Resolves with the first log line that matches; rejects when the process ends first. */
  said(pattern: RegExp): Promise<string>
}

/** Starts `millrace ARGS -c FILE` as a child. */
export function startMillrace(
  scenario: Pick<Scenario, 'configFile'> & { readonly env?: Readonly<Record<string, string>> },
  ...args: readonly string[]
): Millrace {
  const child = spawn(process.execPath, [BIN, ...args, '-c', scenario.configFile], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...scenario.env },
  })
  let log = ''
  const listeners = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      log = (log + text).slice(-1_000_000)
      for (const listener of listeners) listener()
    })
  }
  const exited = new Promise<Exit>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal, log })),
  )
  return {
    process: child,
    exited,
    log: () => log,
    said: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const line = log.split('\n').find((text) => pattern.test(text))
          if (line === undefined) return
          listeners.delete(look)
          resolve(line)
        }
        listeners.add(look)
        void exited.then(({ code }) =>
          reject(new Error(`ended with ${code} before saying ${pattern}:\n${log}`)),
        )
        look()
      }),
  }
}

export function runOnce(scenario: Scenario): Promise<Exit> {
  return startMillrace(scenario, 'run', '--once').exited
}
