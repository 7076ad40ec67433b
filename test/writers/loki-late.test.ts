// Time in Loki: what is late, too old or ahead, and the windows that must not mix.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { frameId, makeFrame, recentRecords, type TestRecord } from './frames.js'
import { startWriter } from './journal.js'
import { assertAll, MINUTE_NS, nowNs, withLoki } from './loki-scene.js'

test('entries too old for the server are dead letters in a few requests, the others arrive', () =>
  withLoki(async ({ loki, writer }) => {
    const old = nowNs() - 8n * 24n * 60n * MINUTE_NS
    const records = [
      ...Array.from({ length: 200 }, (_, n): TestRecord => ({ tsNs: old + BigInt(n), message: `old ${n}` })),
      ...recentRecords(50),
    ]
    const frame = makeFrame(frameId(1), records)
    writer.send(1, frame)
    await writer.allDone(1)
    assert.equal(loki.count(), 50)
    const letters = await writer.deadLetters()
    assert.equal(letters.length, 200)
    assert.ok(letters.every(({ reason }) => reason === 'too_old'))
    assert.ok(loki.stats.pushes < 10, `${loki.stats.pushes} pushes`)
  }))

test('an entry from the future is a dead letter and does not move the window of the others', () =>
  withLoki(async ({ loki, writer }) => {
    const records: TestRecord[] = recentRecords(50)
    records[20] = { tsNs: nowNs() + 30n * MINUTE_NS }
    writer.send(1, makeFrame(frameId(1), records))
    await writer.allDone(1)
    assert.equal(loki.count(), 49)
    const letters = await writer.deadLetters()
    assert.deepEqual(
      letters.map(({ n, reason }) => [n, reason]),
      [[20, 'too_new']],
    )
  }))

test('records hours behind the live ones are not refused: they go to a stream of their own, in order', () =>
  withLoki(async ({ loki, writer }) => {
    const frames = [
      makeFrame(frameId(1), recentRecords(20)),
      ...[3n, 2n].map((hours, n) => {
        const from = nowNs() - hours * 60n * MINUTE_NS
        const records = Array.from(
          { length: 30 },
          (_, k): TestRecord => ({ tsNs: from + BigInt(k) * MINUTE_NS, message: `${k}` }),
        )
        return makeFrame(frameId(n + 2), records)
      }),
      makeFrame(frameId(4), recentRecords(20)),
    ]
    for (const [n, frame] of frames.entries()) {
      writer.send(n + 1, frame)
      await writer.allDone(n + 1)
    }
    assertAll(loki, frames)
    const repaired = loki.entries().filter(({ labels }) => labels['repair'] === '1')
    assert.equal(repaired.length, 60)
    assert.equal(loki.stats.refused, 0)
  }))

test('a stream that another node has moved on is learnt from the refusal, nothing is lost or doubled', () =>
  withLoki(async ({ loki, writer }) => {
    // Twin 1 is as new as two hours ago; what is four hours old must go to twin 2.
    const at = (hours: bigint, seq: number) => {
      const from = nowNs() - hours * 60n * MINUTE_NS
      return makeFrame(
        frameId(seq),
        Array.from({ length: 10 }, (_, k): TestRecord => ({ tsNs: from + BigInt(k), message: `${k}` })),
      )
    }
    const other = await startWriter({ type: 'loki', url: loki.url })
    try {
      const frames = [at(2n, 1), at(4n, 2), at(4n, 3), at(2n, 4)]
      other.send(1, frames[0]!)
      await other.allDone(1)
      for (const seq of [2, 3, 4]) {
        writer.send(seq, frames[seq - 1]!)
        await writer.allDone(seq)
      }
      assertAll(loki, frames)
      assert.deepEqual(await writer.deadLetters(), [])
      const twins = loki
        .entries()
        .map(({ labels }) => labels['repair'])
        .sort()
      assert.deepEqual(twins, [...Array(20).fill('1'), ...Array(20).fill('2')])
    } finally {
      await other.stop()
    }
  }))

test('a push never mixes two five-minute windows of a stream, and windows go in order', () =>
  withLoki(async ({ loki, writer }) => {
    const from = nowNs() - 30n * MINUTE_NS
    const records = Array.from(
      { length: 31 },
      (_, k): TestRecord => ({ tsNs: from + BigInt(30 - k) * MINUTE_NS, message: `${k}` }),
    )
    const frame = makeFrame(frameId(1), records)
    writer.send(1, frame)
    await writer.allDone(1)
    assertAll(loki, [frame])
    assert.ok(loki.stats.pushes >= 6 && loki.stats.pushes <= 7, `${loki.stats.pushes} pushes`)
  }))
