// A whole node in this process over real files: two roots of pods, stand-in backends that keep every record, and what they hold.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Corpus, createCorpus } from '../../benchmarks/generate/corpus.js'
import { type RunningNode, startNode } from '../../cli/node.js'
import { type Config, configSchema } from '../../protocol/config/schema.js'
import { createLogger } from '../../runtime/log.js'
import { startElasticsearchStandIn } from '../stand-ins/elasticsearch.js'
import { startLokiStandIn } from '../stand-ins/loki.js'

export type Placement = NonNullable<Config['runtime']['placement']>

export interface Scene {
  readonly node: RunningNode
  /** Writes so many records, alternating between the two roots. */
  write(records: number): void
  readonly written: () => number
  /** Records that both backends have taken, twice stored ones included. */
  stored(): number
  /** Ends a group's thread and resolves when it is up again. */
  crash(group: string): Promise<void>
  /** Resolves when all that was written is in both backends. */
  delivered(): Promise<void>
  /** Demands every record once in each backend, and the same bytes in both. */
  demandEachOnce(): void
  close(): Promise<void>
}

export interface SceneOptions {
  readonly records: number
  readonly placement?: Placement | undefined
  readonly seed?: number
}

const LOOK_EVERY_MS = 5
/** The harness's bound on one wait; a node that stands still fails here and not in the runner's timeout. */
const WAIT_MAX_MS = 20_000

/** Polls until it holds; throws what `otherwise` says when it does not within the bound. */
export async function until(holds: () => boolean, otherwise: () => string): Promise<void> {
  const deadline = performance.now() + WAIT_MAX_MS
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(otherwise())
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
}

export async function startScene({ records, placement, seed = 7 }: SceneOptions): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-node-'))
  const es = await startElasticsearchStandIn({ store: 'records' })
  const loki = await startLokiStandIn({ store: 'records' })
  const roots = ['left', 'right'].map((name) => join(folder, name))
  for (const root of roots) mkdirSync(root)
  const corpora = roots.map((root, n) =>
    createCorpus({
      root,
      records: records / 2,
      pods: 4,
      seed: seed + n,
      namespace: `ns${n}`,
      startMs: Date.now() - 60_000,
      zoo: true,
      rotateBytes: 200_000,
    }),
  )
  const written = () => corpora.reduce((sum, corpus) => sum + corpus.written(), 0)
  const node = await startNode({
    config: sceneConfig(folder, roots, es.url, loki.url, placement),
    once: false,
    log: createLogger(process.env.MILLRACE_TEST_LOG ?? 'silent'),
  })
  const stored = () => Math.min(es.count(), loki.count())
  /** A copy must not stand for a record that is still on its way. */
  const lines = () => new Set(loki.entries().map(({ line }) => line)).size
  const restarts = (group: string) => node.status().groups[group]?.restarts ?? 0
  return {
    node,
    write(count) {
      for (const corpus of corpora) corpus.write(count / 2)
    },
    written,
    stored,
    async crash(group) {
      const before = restarts(group)
      node.kill(group)
      await until(
        () => restarts(group) > before && Object.values(node.status().groups).every(({ up }) => up),
        () => `${group} did not come back: ${JSON.stringify(node.status().groups)}`,
      )
    },
    delivered: () =>
      until(
        () => stored() >= written() && lines() >= written(),
        () =>
          `${written()} written, es has ${es.count()}, loki ${loki.count()}: ${JSON.stringify(node.status())}`,
      ),
    demandEachOnce() {
      const inEs = [...es.documents().values()].map((bytes) =>
        bytes.toString().replace(/,"batch_id":"[^"]*"\}$/, '}'),
      )
      const inLoki = loki.entries().map(({ line }) => line)
      demandAll(inEs, corpora, 'elasticsearch')
      demandAll(inLoki, corpora, 'loki')
      assert.deepEqual(inEs.toSorted(), inLoki.toSorted(), 'the two backends hold the same bytes')
    },
    async close() {
      await node.stop()
      for (const corpus of corpora) corpus.close()
      await es.close()
      await loki.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function sceneConfig(
  folder: string,
  roots: readonly string[],
  esUrl: string,
  lokiUrl: string,
  placement: Placement | undefined,
): Config {
  const [left, right] = roots
  const quick = { batch_age_max: '50ms', retry: { initial: '20ms', max: '200ms' } }
  return configSchema.parse({
    node: { id: 'n1', cluster_id: 'c1', data_dir: join(folder, 'data') },
    http: { listen: '127.0.0.1:0' },
    sources: {
      left: { type: 'kubernetes', path: left, api: 'off', poll: '20ms', rescan: '100ms' },
      right: { type: 'kubernetes', path: right, api: 'off', poll: '20ms', rescan: '100ms' },
    },
    sampling: { tiers: { fatal: 1, error: 1, warn: 1, info: 1, debug: 1, trace: 1 } },
    records: { batch_age_max: '30ms', frame_bytes: '64KiB' },
    backends: {
      es: { type: 'elasticsearch', url: esUrl, ...quick },
      loki: { type: 'loki', url: lokiUrl, ...quick },
    },
    // A window of one second keeps the backoff between the kills short.
    runtime: {
      placement,
      restarts_max: 50,
      restart_window: '1s',
      log_level: process.env.MILLRACE_TEST_LOG ?? 'silent',
    },
  })
}

/** The running numbers of both corpora, told apart by namespace: each exactly once. */
function demandAll(records: readonly string[], corpora: readonly Corpus[], where: string): void {
  for (const [n, corpus] of corpora.entries()) {
    const own = records.filter((record) => record.includes(`"namespace":"ns${n}"`))
    const seqs = own.map((record) => Number(/\bseq\\?"?[:=](\d+)/.exec(record)?.[1] ?? -1))
    const seen = new Set(seqs)
    const missing = Array.from({ length: corpus.written() }, (_, seq) => seq).filter((seq) => !seen.has(seq))
    const unnumbered = own.filter((_, at) => seqs[at] === -1).map((record) => record.slice(0, 600))
    const twice = seqs.filter((seq, at) => seqs.indexOf(seq) !== at)
    assert.deepEqual(
      { missing, twice, unnumbered },
      { missing: [], twice: [], unnumbered: [] },
      `ns${n} in ${where}`,
    )
  }
  assert.equal(
    records.length,
    corpora.reduce((sum, corpus) => sum + corpus.written(), 0),
    where,
  )
}
