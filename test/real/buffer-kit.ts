// What the tests of the buffer on real servers have in common: nodes that end well, streams that become empty, a state that is told.
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from 'nats'
import type { Corpus } from '../../benchmarks/generate/corpus.js'
import type { NodeStatus } from '../../protocol/status.js'
import { LOGS_STREAM, PARTS_STREAM } from '../../protocol/subjects.js'
import {
  type BufferScenario,
  type BufferScenarioOptions,
  createBufferScenario,
  expectedOf,
} from './buffer-scenario.js'
import { until } from './fleet.js'
import type { Millrace } from './scenario.js'
import { demandEqual } from './verify.js'

export const RECORDS = 6000
export const startMs = Date.now() - 120_000
export const BACKEND = 'batch_age_max: 200ms'

export interface Buffered {
  readonly scenario: BufferScenario
  /** Of the agent `a`; nothing is written yet. */
  readonly corpus: Corpus
}

/** An agent `a`, writers, and records for them, on these servers; gone with the test. */
export function buffered(
  t: TestContext,
  natsUrls: readonly string[],
  options: Omit<Partial<BufferScenarioOptions>, 'natsUrls' | 'agents'> = {},
  records = RECORDS,
): Buffered {
  const made = { natsUrls, agents: ['a'], writers: ['w'], backend: BACKEND, ...options }
  const scenario = createBufferScenario(made)
  t.after(scenario.remove)
  return { scenario, corpus: scenario.corpus('a', { records, pods: 8, seed: 3, startMs, zoo: true }) }
}

/** All that is left of it. */
export function writeAll(corpus: Corpus): void {
  while (corpus.write(RECORDS) > 0);
  corpus.close()
}

/** `clockFile`: its wall clock is shifted by what that file says. */
export function started(
  t: TestContext,
  scenario: BufferScenario,
  name: string,
  { clockFile }: { readonly clockFile?: string } = {},
): Millrace {
  const node = clockFile === undefined ? scenario.start(name, 'run') : scenario.startShifted(name, clockFile)
  t.after(() => node.process.kill('SIGKILL'))
  return node
}

export async function ended(node: Millrace): Promise<void> {
  node.process.kill('SIGTERM')
  const { code, signal, log } = await node.exited
  // One that was started a moment ago has not begun to take signals, nor to say anything.
  const tooEarly = signal === 'SIGTERM' && log === ''
  if (!tooEarly) assert.equal(code, 0, log)
}

/** The agent has read and kept so many records. */
export const hasRead = (scenario: BufferScenario, agent: Millrace, records: number): Promise<true> =>
  until('the agent has read all', async () =>
    (await scenario.status(agent)).counters.keptRecords >= records ? true : undefined,
  )

export const demand = (scenario: BufferScenario, corpus: Corpus) =>
  demandEqual(scenario, expectedOf(corpus), { fromMs: startMs - 1000, toMs: Date.now() + 1000 })

/** The agent's journal has handed all of it over. */
export const handedOver = ({ actors }: NodeStatus): boolean =>
  actors['journal']?.detail['lag.@jetstream'] === 0

export async function messagesIn(
  servers: string | readonly string[],
): Promise<{ logs: number; parts: number }> {
  const connection = await connect({ servers: [servers].flat() })
  try {
    const { streams } = await jetstreamManager(connection)
    const logs = (await streams.info(LOGS_STREAM)).state.messages
    const parts = (await streams.info(PARTS_STREAM)).state.messages
    return { logs, parts }
  } finally {
    await connection.close()
  }
}

/** `forMs`: and stay so, for longer than a frame takes to come that was handed out twice. */
export function empty(servers: string | readonly string[], forMs = 0): Promise<true> {
  let sinceMs = Number.POSITIVE_INFINITY
  return until('the streams are empty', async () => {
    const { logs, parts } = await messagesIn(servers)
    sinceMs = logs + parts > 0 ? Number.POSITIVE_INFINITY : Math.min(sinceMs, Date.now())
    return Date.now() - sinceMs >= forMs ? true : undefined
  })
}

export const degraded = (scenario: BufferScenario, node: Millrace, pattern: RegExp) =>
  until(`degraded: ${pattern}`, async () => {
    const status = await scenario.status(node)
    assert.equal(status.ready, true, status.reasons.join())
    return status.degraded.some((what) => pattern.test(what)) ? status : undefined
  })
