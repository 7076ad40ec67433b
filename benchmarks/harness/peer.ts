// Another product at the same work: its binary on PATH, its configuration filled in, watched from outside until both sinks have all.
import { spawn } from 'node:child_process'
import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Measurement } from './bench.js'
import { exitOf, type Usage, usageOf } from './process.js'
import type { CorpusOnDisk, Scratch } from './scratch.js'
import type { Sinks } from './sinks.js'

export interface Peer {
  readonly name: string
  readonly binaries: readonly string[]
  /** In benchmarks/peers. */
  readonly config: string
  readonly values?: Readonly<Record<string, string>>
  args(configFile: string, dataDir: string): readonly string[]
}

export const PEERS_FOLDER = fileURLToPath(new URL('../../../benchmarks/peers', import.meta.url))
const LOOK_EVERY_MS = 50
const STANDSTILL_MS_MAX = 60_000
const STOP_MS_MAX = 10_000

/** The path of the first of the names that is on PATH. */
export function onPath(names: readonly string[], path = process.env['PATH'] ?? ''): string | undefined {
  const candidates = names.flatMap((name) => path.split(delimiter).map((folder) => join(folder, name)))
  return candidates.find((file) => {
    try {
      accessSync(file, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Throws for a placeholder that has no value. */
export function fillIn(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{([A-Z_]+)\}/g, (placeholder, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`nothing to fill in for ${placeholder}`)
    return value
  })
}

/** Rejects, with what the peer said, when it ends early or stands still. */
export async function measurePeer(
  peer: Peer,
  binary: string,
  corpus: CorpusOnDisk,
  sinks: Sinks,
  scratch: Scratch,
): Promise<Measurement> {
  const data = scratch.fresh('peer-data')
  const config = join(scratch.folder, peer.config)
  const [es, loki] = [new URL(sinks.es), new URL(sinks.loki)]
  const text = withoutComments(readFileSync(join(PEERS_FOLDER, peer.config), 'utf8'))
  const values = {
    ROOT: corpus.root,
    DATA: data,
    CONFIG_DIR: PEERS_FOLDER,
    ES_URL: sinks.es,
    LOKI_URL: sinks.loki,
    ES_HOST: es.hostname,
    ES_PORT: es.port,
    LOKI_HOST: loki.hostname,
    LOKI_PORT: loki.port,
    ...peer.values,
  }
  writeFileSync(config, fillIn(text, values))
  await sinks.reset()
  const startedMs = performance.now()
  const child = spawn(binary, peer.args(config, data), { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => (said = (said + chunk).slice(-2000)))
  const exited = exitOf(child)
  let ended = false
  exited.then(
    () => (ended = true),
    () => (ended = true),
  )
  try {
    const usage = await watch(child.pid ?? 0, corpus.records, sinks, () => ended)
    const seconds = (performance.now() - startedMs) / 1000
    return {
      recordsPerSecond: corpus.records / seconds,
      recordsPerCpuSecond: corpus.records / usage.cpuSeconds,
      peakRssMegabytes: usage.peakRssBytes / 1e6,
    }
  } catch (cause) {
    throw new Error(`${peer.name}: ${(cause as Error).message}; it said: ${said.trim()}`, { cause })
  } finally {
    child.kill('SIGTERM')
    const killing = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
    await exited.catch(() => undefined)
    clearTimeout(killing)
  }
}

async function watch(pid: number, records: number, sinks: Sinks, hasEnded: () => boolean): Promise<Usage> {
  let before = -1
  let sinceMs = performance.now()
  for (;;) {
    const usage = usageOf(pid)
    const { es, loki } = await sinks.stats()
    if (usage !== undefined && es.records >= records && loki.records >= records) return usage
    if (hasEnded()) throw new Error(`ended after ${es.records} and ${loki.records} of ${records} records`)
    const now = es.records + loki.records
    if (now !== before) [before, sinceMs] = [now, performance.now()]
    if (performance.now() - sinceMs > STANDSTILL_MS_MAX)
      throw new Error(`stands still at ${es.records} and ${loki.records} of ${records} records`)
    await sleep(LOOK_EVERY_MS)
  }
}

/** What a comment says of placeholders is not to be filled in. */
function withoutComments(text: string): string {
  return text.replace(/^#.*\n/gm, '')
}
