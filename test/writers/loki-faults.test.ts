// Faults of Loki, one by one: nothing is lost, a poison entry does not take others with it, and only 204 counts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Faults } from '../stand-ins/faults.js'
import { frameId, makeFrame, recentRecords, type TestFrame, type TestRecord } from './frames.js'
import type { BackendInput } from './journal.js'
import { assertAll, withLoki } from './loki-scene.js'

/** Three frames of several streams. */
function someFrames(): TestFrame[] {
  return [1, 2, 3].map((seq) => {
    const records = ['cart', 'pay', 'ship', 'mail'].flatMap((service) => recentRecords(50, { service }))
    return makeFrame(frameId(seq), records)
  })
}

async function survives(faults: Faults, options: Partial<BackendInput> = {}): Promise<void> {
  await withLoki(async ({ loki, writer }) => {
    loki.setFaults(faults)
    const frames = someFrames()
    for (const [n, frame] of frames.entries()) writer.send(n + 1, frame)
    await writer.allDone(1, 2, 3)
    assertAll(loki, frames)
    assert.deepEqual(await writer.deadLetters(), [])
  }, options)
}

const faults: Readonly<Record<string, Faults>> = {
  'a push refused for load is sent again': { status: 429, requests: 4 },
  'a server error is waited out': { status: 503, requests: 4 },
  'a 500 that passes is waited out': { status: 500, requests: 2 },
  'a 500 for everything buries nothing': { status: 500, requests: 15 },
  'a rate limit in the words of a 400 is waited out': {
    status: 400,
    body: 'ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec)',
    requests: 3,
  },
  'a wrong path is waited for, not taken for bad records': {
    status: 404,
    body: '404 page not found',
    requests: 3,
  },
  'a 400 from something that never stored anything buries nothing': {
    status: 400,
    body: 'bad request',
    requests: 3,
  },
  'forbidden structured metadata buries nothing': {
    status: 400,
    body: "stream '{}' includes structured metadata, but this feature is disallowed.",
    requests: 3,
  },
  'a reset connection is not taken for an answer': { reset: true, requests: 4 },
  'a lost acknowledgement does not store twice': { reset: true, stored: true, requests: 4 },
  'an answer cut in the middle is not taken for success': { halfAnswer: true, requests: 4 },
  'a 200 is not a 204': { status: 200, requests: 3 },
}
for (const [name, fault] of Object.entries(faults)) test(name, () => survives(fault))

test('a server that hangs is given up after the timeout, and what it stored is not stored twice', () =>
  survives({ hang: true, stored: true, requests: 2 }, { timeout: 150 }))

test('a poison entry is found by halving: it alone is dead, the others of its push arrive', () =>
  withLoki(
    async ({ loki, writer }) => {
      const records: TestRecord[] = ['cart', 'pay'].flatMap((service) => recentRecords(100, { service }))
      records[37] = { ...(records[37] as TestRecord), message: 'x'.repeat(300_000) }
      const frame = makeFrame(frameId(1), records)
      writer.send(1, frame)
      await writer.allDone(1)
      assertAll(loki, [frame], [`${frame.id}-37`])
      const letters = await writer.deadLetters()
      assert.deepEqual(
        letters.map(({ n, reason, record }) => [n, reason, record]),
        [[37, 'line_too_long', frame.lines[37]]],
      )
    },
    // The operator states a limit that the server does not have.
    { line_bytes_max: 1024 * 1024 },
  ))

test('a pod name or trace id too long for metadata stays in the line, and the entry arrives', () =>
  withLoki(async ({ loki, writer }) => {
    const records: TestRecord[] = [
      ...recentRecords(2, { pod: 'p'.repeat(70_000) }),
      ...recentRecords(2, { traceId: 'a'.repeat(70_000) }),
    ]
    const frame = makeFrame(frameId(1), records)
    writer.send(1, frame)
    await writer.allDone(1)
    assertAll(loki, [frame])
  }))

test('a line over the limit is a dead letter, the entries around it arrive', () =>
  withLoki(
    async ({ loki, writer }) => {
      const records: TestRecord[] = recentRecords(10)
      records[0] = { ...(records[0] as TestRecord), message: 'x'.repeat(5000) }
      records[5] = { ...(records[5] as TestRecord), message: 'x'.repeat(5000) }
      const frame = makeFrame(frameId(1), records)
      writer.send(1, frame)
      await writer.allDone(1)
      assertAll(loki, [frame], [`${frame.id}-0`, `${frame.id}-5`])
      const letters = await writer.deadLetters()
      assert.deepEqual(
        letters.map(({ n, reason }) => [n, reason]),
        [
          [0, 'line_too_long'],
          [5, 'line_too_long'],
        ],
      )
    },
    { line_bytes_max: 4096 },
  ))

test('labels are rewritten, cleaned and bounded; an empty one is left out', () =>
  withLoki(
    async ({ loki, writer }) => {
      const service = `caf\u00e9 "x"\\ \ufffd${'y'.repeat(3000)}`
      writer.send(1, makeFrame(frameId(1), recentRecords(3, { service, level: '' })))
      await writer.allDone(1)
      const { labels } = loki.entries()[0]!
      assert.ok(labels['service_name']?.startsWith('caf\u00e9 "x"\\ ?yyy'))
      assert.ok(Buffer.byteLength(labels['service_name'] ?? '') <= 2048)
      assert.equal(labels['kubernetes_labels_app'], labels['service_name'])
      assert.ok(!('log_level' in labels))
    },
    { labels: ['service_name', 'log_level', 'kubernetes.labels.app'] },
  ))

test('more label sets than allowed fold into few streams, nothing is lost', () =>
  withLoki(
    async ({ loki, writer }) => {
      const records = Array.from({ length: 50 }, (_, n) => ({
        ...(recentRecords(50)[n] as TestRecord),
        service: `service-${n}`,
      }))
      const frame = makeFrame(frameId(1), records)
      writer.send(1, frame)
      await writer.allDone(1)
      assertAll(loki, [frame])
      const sets = new Set(loki.entries().map(({ labels }) => JSON.stringify(labels)))
      assert.equal(sets.size, 11)
      assert.equal(loki.entries().filter(({ labels }) => labels['overflow'] === '1').length, 40)
    },
    { streams_max: 10 },
  ))

test('a blocked tenant (260) is not taken for success', () =>
  withLoki(async ({ loki, writer }) => {
    loki.setFaults({ status: 260, body: 'ingestion blocked' })
    const frame = makeFrame(frameId(1), recentRecords(20))
    writer.send(1, frame)
    await writer.allDone(1)
    const letters = await writer.deadLetters()
    assert.equal(letters.length, 20)
    assert.ok(letters.every(({ reason }) => reason === 'blocked'))
  }))

test('a push over the limit of the server is halved, nothing is lost', () =>
  withLoki(async ({ loki, writer }) => {
    loki.setFaults({ status: 413, requests: 3 })
    const frames = someFrames()
    for (const [n, frame] of frames.entries()) writer.send(n + 1, frame)
    await writer.allDone(1, 2, 3)
    assertAll(loki, frames)
  }))
