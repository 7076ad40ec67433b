// What may have been sent before is not sent twice: a sharded stream of Loki keeps both copies for ever.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LokiStandIn } from '../stand-ins/loki.js'
import { frameId, makeFrame, recentRecords, type TestFrame } from './frames.js'
import { startWriter } from './journal.js'
import { assertAll, MINUTE_NS, withLoki } from './loki-scene.js'

const SHARDED = { shardStreams: true }

/** Several streams, one that needs a repair twin, more records than a page of an answer. */
function mixed(number: number): TestFrame {
  const records = recentRecords(5400)
  return makeFrame(
    frameId(number),
    records.map((record, n) => {
      const service = n % 3 === 0 ? 'cart' : 'say "hi"'
      return n % 50 === 0
        ? { ...record, service, tsNs: record.tsNs - 120n * MINUTE_NS }
        : { ...record, service }
    }),
  )
}

async function again(loki: LokiStandIn, frames: readonly TestFrame[]): Promise<number> {
  const writer = await startWriter({ type: 'loki', url: loki.url })
  try {
    await writer.until('subscribe', () => writer.sent.some(({ type }) => type === 'subscribe'))
    for (const [n, frame] of frames.entries())
      writer.send(n + 1, frame, n % 2 === 0 ? 'encoded' : 'slot', true)
    await writer.allDone(...frames.map((_, n) => n + 1))
    return await writer.metric('write_repeated_total')
  } finally {
    await writer.stop()
  }
}

test('frames that were stored before a crash are not pushed again', async () => {
  await withLoki(
    async ({ loki, writer }) => {
      const frames = [mixed(1), mixed(2)]
      for (const [n, frame] of frames.entries()) writer.send(n + 1, frame)
      await writer.allDone(1, 2)
      const { pushes } = loki.stats
      assert.equal(await again(loki, frames), 10_800)
      assert.equal(loki.stats.pushes, pushes)
      assertAll(loki, frames)
    },
    {},
    SHARDED,
  )
})

test('of a frame that was stored in part only the missing records are pushed', async () => {
  await withLoki(
    async ({ loki, writer }) => {
      const frames = [mixed(1), mixed(2), mixed(3)]
      loki.setFaults({ swallow: 0.3 })
      writer.send(1, frames[0] as TestFrame)
      writer.send(2, frames[1] as TestFrame)
      await writer.allDone(1, 2)
      loki.setFaults()
      const { stored, swallowed } = loki.stats
      assert.ok(stored > 0 && swallowed > 0)
      assert.equal(await again(loki, frames), stored)
      assertAll(loki, frames)
    },
    {},
    SHARDED,
  )
})

for (const fault of [{ reset: true }, { status: 500 }, { halfAnswer: true }]) {
  test(`a push that was stored without an acknowledgement (${JSON.stringify(fault)}) is not sent again`, async () => {
    await withLoki(
      async ({ loki, writer }) => {
        const frame = mixed(1)
        loki.setFaults({ ...fault, stored: true, requests: 2 })
        writer.send(1, frame)
        await writer.allDone(1)
        assertAll(loki, [frame])
      },
      {},
      SHARDED,
    )
  })
}

test('a server that cannot be asked for a while holds the records back; one that never can gets them unchecked', async () => {
  await withLoki(
    async ({ loki, writer }) => {
      const frame = makeFrame(frameId(1), recentRecords(50))
      writer.send(1, frame)
      await writer.allDone(1)
      loki.setFaults({ status: 503, on: 'all', requests: 4 })
      writer.send(2, frame, 'slot', true)
      await writer.allDone(2)
      assertAll(loki, [frame])
      assert.equal(await writer.metric('write_unchecked_total'), 0)
      loki.setFaults({ status: 404, on: 'all', requests: 5 })
      writer.send(3, frame, 'slot', true)
      await writer.allDone(3)
      assert.equal(loki.count(), 100)
      assert.equal(await writer.metric('write_unchecked_total'), 50)
    },
    {},
    SHARDED,
  )
})
