// What the tests of the buffer on real servers have in common: nodes that end well, streams that become empty, a state that is told.
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from 'nats'
import type { Corpus } from '../../benchmarks/generate/corpus.js'
import { LOGS_STREAM, PARTS_STREAM } from '../../protocol/subjects.js'
import { type BufferScenario, expectedOf } from './buffer-scenario.js'
import { until } from './fleet.js'
import type { Millrace } from './scenario.js'
import { demandEqual } from './verify.js'

export const RECORDS = 6000
export const startMs = Date.now() - 120_000
export const BACKEND = 'batch_age_max: 200ms'

export const corpusOf = (scenario: BufferScenario, records = RECORDS): Corpus =>
  scenario.corpus('a', { records, pods: 8, seed: 3, startMs, zoo: true })

export function started(t: TestContext, scenario: BufferScenario, name: string): Millrace {
  const node = scenario.start(name, 'run')
  t.after(() => node.process.kill('SIGKILL'))
  return node
}

export async function ended(node: Millrace): Promise<void> {
  node.process.kill('SIGTERM')
  const { code, log } = await node.exited
  assert.equal(code, 0, log)
}

export const demand = (scenario: BufferScenario, corpus: Corpus) =>
  demandEqual(scenario, expectedOf(corpus), { fromMs: startMs - 1000, toMs: Date.now() + 1000 })

export async function messagesIn(url: string): Promise<{ logs: number; parts: number }> {
  const connection = await connect({ servers: url })
  const { streams } = await jetstreamManager(connection)
  const logs = (await streams.info(LOGS_STREAM)).state.messages
  const parts = (await streams.info(PARTS_STREAM)).state.messages
  await connection.close()
  return { logs, parts }
}

export const empty = (url: string) =>
  until('the streams are empty', async () => {
    const { logs, parts } = await messagesIn(url)
    return logs + parts === 0 ? true : undefined
  })

export const degraded = (scenario: BufferScenario, node: Millrace, pattern: RegExp) =>
  until(`degraded: ${pattern}`, async () => {
    const status = await scenario.status(node)
    assert.equal(status.ready, true, status.reasons.join())
    return status.degraded.some((what) => pattern.test(what)) ? status : undefined
  })
