// Another product at the same work: its binary on PATH, its configuration filled in, watched from outside until both sinks have all.
import { spawn } from 'node:child_process'
import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
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

export interface PeerRun {
  readonly seconds: number
  readonly usage: Usage
  /** Records that the sinks acknowledged. */
  readonly es: number
  readonly loki: number
  /** Why it did not deliver everything, with its own last words. */
  readonly complaint?: string
}

/** Until both sinks have as many records as the corpus, or the peer ends early or stands still. */
export async function runPeer(
  peer: Peer,
  binary: string,
  corpus: CorpusOnDisk,
  sinks: Sinks,
  scratch: Scratch,
): Promise<PeerRun> {
  const data = scratch.fresh('peer-data')
  const config = writeConfig(peer, data, corpus, sinks, scratch)
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
    const seen = await watch(child.pid ?? 0, corpus.records, sinks, () => ended)
    const seconds = (performance.now() - startedMs) / 1000
    const { complaint, ...counts } = seen
    if (complaint === undefined) return { seconds, ...counts }
    return { seconds, ...counts, complaint: `${complaint}; it said: ${said.trim()}` }
  } finally {
    child.kill('SIGTERM')
    const killing = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
    await exited.catch(() => undefined)
    clearTimeout(killing)
    scratch.remove('peer-data')
  }
}

/** Resolves to the path of the configuration, filled in. */
function writeConfig(peer: Peer, data: string, corpus: CorpusOnDisk, sinks: Sinks, scratch: Scratch): string {
  const [es, loki] = [new URL(sinks.es), new URL(sinks.loki)]
  const text = withoutComments(readFileSync(join(PEERS_FOLDER, peer.config), 'utf8'))
  const file = join(scratch.folder, peer.config)
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
  writeFileSync(file, fillIn(text, values))
  return file
}

async function watch(
  pid: number,
  records: number,
  sinks: Sinks,
  hasEnded: () => boolean,
): Promise<Omit<PeerRun, 'seconds'>> {
  let usage: Usage = { cpuSeconds: 0, rssBytes: 0, peakRssBytes: 0, descriptors: 0 }
  let before = -1
  let sinceMs = performance.now()
  for (;;) {
    const hadEnded = hasEnded()
    const stats = await sinks.stats()
    // After the count: what the last records have cost is part of it.
    usage = usageOf(pid) ?? usage
    const [es, loki] = [stats.es.records, stats.loki.records]
    if (es >= records && loki >= records) return { usage, es, loki }
    const counts = `${es} and ${loki} of ${records} records`
    if (hadEnded) return { usage, es, loki, complaint: `ended after ${counts}` }
    if (es + loki !== before) [before, sinceMs] = [es + loki, performance.now()]
    if (performance.now() - sinceMs > STANDSTILL_MS_MAX)
      return { usage, es, loki, complaint: `stands still at ${counts}` }
    await sleep(LOOK_EVERY_MS)
  }
}

/** What a comment says of placeholders is not to be filled in. */
function withoutComments(text: string): string {
  return text.replace(/^#.*\n/gm, '')
}
