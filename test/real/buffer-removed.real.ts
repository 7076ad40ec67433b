// Somebody removes a backend's consumer, or the whole stream, by hand while agents publish: what came meanwhile reaches every backend all the same.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from 'nats'
import { LOGS_STREAM } from '../../protocol/subjects.js'
import {
  buffered,
  demand,
  empty,
  ended,
  handedOver,
  hasRead,
  RECORDS,
  started,
  writeAll,
} from './buffer-kit.js'
import { ownServer, until } from './fleet.js'

for (const removed of ['es', 'loki'])
  test(`the consumer ${removed} is removed under the writer: each record is once in both`, {
    timeout: 600_000,
  }, async (t) => {
    const own = await ownServer()
    const { scenario, corpus } = buffered(
      t,
      [own.url],
      {
        buffer: 'ack_wait: 2s',
      },
      RECORDS * 2,
    )
    const agent = started(t, scenario, 'a')
    const writer = started(t, scenario, 'w')
    corpus.write(RECORDS / 2)
    await until('the first are delivered, and the journal is sure of it', async () => {
      const [{ backends }, ofAgent] = await Promise.all([scenario.status(writer), scenario.status(agent)])
      const isAll = Object.values(backends).every(({ writtenRecords }) => writtenRecords === RECORDS / 2)
      return isAll && handedOver(ofAgent) ? true : undefined
    })
    const connection = await connect({ servers: own.url })
    const manager = await jetstreamManager(connection)
    // In the middle of traffic, twice: what the other backend has acknowledged is no longer in the stream when it is made anew.
    for (let n = 0; n < 2; n++) {
      for (let step = 0; step < 10; step++) {
        corpus.write(RECORDS / 40)
        if (step === 5) await manager.consumers.delete(LOGS_STREAM, removed)
        await sleep(100)
      }
      await until('the consumer is there again', async () => {
        const { num_pending, num_ack_pending } = await manager.consumers.info(LOGS_STREAM, removed)
        return num_pending + num_ack_pending === 0 ? true : undefined
      })
    }
    await connection.close()
    writeAll(corpus)
    await hasRead(scenario, agent, RECORDS * 2)
    await ended(agent)
    await scenario.runOnce('a')
    await empty(own.url)
    await ended(writer)
    assert.match(writer.log() + agent.log(), /consumer/)
    const { lokiCopies } = await demand(scenario, corpus)
    t.diagnostic(`copies of entries in Loki: ${lokiCopies}`)
  })
