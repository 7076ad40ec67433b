// Two agents, a writer, then two, on one nats-server: any process killed at random moments, the server too; each record is once in both backends.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom } from '../../benchmarks/generate/random.js'
import { ended, messagesIn } from './buffer-kit.js'
import { createBufferScenario, expectedOf } from './buffer-scenario.js'
import { ownServer } from './fleet.js'
import type { Millrace } from './scenario.js'
import { demandEqual } from './verify.js'

const RECORDS = Number(process.env.MILLRACE_RECORDS ?? 30_000)
const KILLS = Number(process.env.MILLRACE_KILLS ?? 6)
const SEED = Number(process.env.MILLRACE_SEED ?? Date.now() % 1_000_000)
const BACKLOG_MAX = 64
const none = () => ({ logs: 0, parts: 0 })
const AGENTS = ['a', 'b']

test(`kill -9 of agents, writers and the nats-server, ${KILLS} times (seed ${SEED})`, {
  timeout: 3_600_000 + RECORDS * 6,
}, async (t) => {
  const random = seededRandom(SEED)
  const own = await ownServer()
  const scenario = createBufferScenario({
    natsUrls: [own.url],
    agents: AGENTS,
    writers: ['v', 'w'],
    buffer: 'ack_wait: 3s',
    backend: 'batch_age_max: 200ms',
  })
  t.after(scenario.remove)
  const startMs = Date.now() - 120_000
  const corpora = AGENTS.map((agent, n) =>
    scenario.corpus(agent, {
      records: RECORDS / 2,
      firstSeq: (n * RECORDS) / 2,
      pods: 10,
      seed: SEED + n,
      startMs,
      zoo: true,
      hugeLines: 2,
      rotateBytes: 2_000_000,
    }),
  )
  const nodes = new Map<string, Millrace>()
  t.after(() => {
    for (const node of nodes.values()) node.process.kill('SIGKILL')
  })
  const start = (name: string) => void nodes.set(name, scenario.start(name, 'run'))
  async function end(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      const node = nodes.get(name)
      if (node !== undefined) await ended(node)
      nodes.delete(name)
    }
  }
  for (const name of [...AGENTS, 'v']) start(name)
  const killed: string[] = []
  const began = performance.now()
  const sinceS = (ms: number) => `${((performance.now() - ms) / 1000).toFixed(0)} s`
  const pick = () => ['nats', ...nodes.keys()][Math.floor(random() * (nodes.size + 1))] ?? 'nats'
  const perLife = Math.ceil(RECORDS / 2 / (KILLS + 1))
  for (let life = 0; life <= KILLS; life++) {
    for (let written = 0; written < perLife; ) {
      const step = Math.min(400, perLife - written)
      for (const corpus of corpora) corpus.write(step)
      written += step
      await sleep(5 + random() * 30)
      // What waits in JetStream when its server dies is looked up in Loki: a backlog of the whole corpus would only measure that.
      while ((await messagesIn(own.url).catch(none)).logs > BACKLOG_MAX) await sleep(200)
    }
    if (life === Math.floor(KILLS / 2)) start('w')
    if (life === KILLS) break
    // Once surely the server, else who it hits.
    const name = life === 1 ? 'nats' : pick()
    killed.push(name)
    if (name === 'nats') {
      await own.kill()
      await sleep(random() * 500)
      await own.start()
      continue
    }
    nodes.get(name)?.process.kill('SIGKILL')
    await nodes.get(name)?.exited
    start(name)
  }
  for (const corpus of corpora) {
    while (corpus.write(10_000) > 0);
    corpus.close()
  }
  await end(...AGENTS)
  await Promise.all(AGENTS.map((agent) => scenario.runOnce(agent)))
  while ((await messagesIn(own.url)).logs > 0) await sleep(500)
  await end('v', 'w')
  await scenario.runOnce('v')
  t.diagnostic(`written, killed and drained in ${sinceS(began)}; killed: ${killed.join(' ')}`)
  const checking = performance.now()
  const { records, lokiCopies } = await demandEqual(scenario, expectedOf(...corpora), {
    fromMs: startMs - 1000,
    toMs: Date.now() + 1000,
  })
  assert.deepEqual(await messagesIn(own.url), { logs: 0, parts: 0 })
  t.diagnostic(
    `${records} records, each once in both, read back in ${sinceS(checking)}; copies of entries in Loki: ${lokiCopies}`,
  )
})
