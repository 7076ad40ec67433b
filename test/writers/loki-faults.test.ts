// Faults of Loki, one by one: nothing is lost, a poison entry does not take others with it, and only 204 counts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Faults } from '../stand-ins/faults.js'
import { type LokiStandIn, type LokiStandInOptions, startLokiStandIn } from '../stand-ins/loki.js'
import { frameId, makeFrame, recentRecords, type TestFrame, type TestRecord } from './frames.js'
import { type BackendInput, startWriter, type WriterUnderTest } from './journal.js'

interface Scene {
  readonly loki: LokiStandIn
  readonly writer: WriterUnderTest
}

async function withWriter(
  run: (scene: Scene) => Promise<void>,
  options: Partial<BackendInput> = {},
  server: LokiStandInOptions = {},
): Promise<void> {
  const loki = await startLokiStandIn(server)
  const writer = await startWriter({ type: 'loki', url: loki.url, ...options })
  try {
    await writer.until('subscribe', () => writer.sent.some(({ type }) => type === 'subscribe'))
    await run({ loki, writer })
  } finally {
    await writer.stop()
    await loki.close()
  }
}

const nowNs = (): bigint => BigInt(Date.now()) * 1_000_000n
const MINUTE_NS = 60_000_000_000n

/** All records are there exactly once, each line as it was. */
function assertAll(loki: LokiStandIn, frames: readonly TestFrame[], without: readonly string[] = []): void {
  const entries = loki.entries()
  const lines = new Map(entries.map((entry) => [entry.metadata['rid'], entry.line]))
  assert.equal(lines.size, entries.length)
  const expected = frames.flatMap(({ id, lines: all }) => all.map((line, n) => [`${id}-${n}`, line] as const))
  const wanted = expected.filter(([rid]) => !without.includes(rid))
  assert.equal(lines.size, wanted.length)
  for (const [rid, line] of wanted) assert.equal(lines.get(rid), line)
}

/** Three frames of several streams. */
function someFrames(): TestFrame[] {
  return [1, 2, 3].map((seq) => {
    const records = ['cart', 'pay', 'ship', 'mail'].flatMap((service) => recentRecords(50, { service }))
    return makeFrame(frameId(seq), records)
  })
}

async function survives(faults: Faults, options: Partial<BackendInput> = {}): Promise<void> {
  await withWriter(async ({ loki, writer }) => {
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
  'a wrong path is waited for, not taken for bad records': { status: 404, body: '404 page not found', requests: 3 },
  'a 400 from something that never stored anything buries nothing': { status: 400, body: 'bad request', requests: 3 },
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
  withWriter(
    async ({ loki, writer }) => {
      const records: TestRecord[] = ['cart', 'pay'].flatMap((service) => recentRecords(100, { service }))
      records[37] = { ...(records[37] as TestRecord), message: 'x'.repeat(300_000) }
      const frame = makeFrame(frameId(1), records)
      writer.send(1, frame)
      await writer.allDone(1)
      assertAll(loki, [frame], [`${frame.id}-37`])
      const letters = await writer.deadLetters()
      assert.deepEqual(letters.map(({ n, reason, record }) => [n, reason, record]), [[37, 'line_too_long', frame.lines[37]]])
    },
    // The operator states a limit that the server does not have.
    { line_bytes_max: 1024 * 1024 },
  ))

test('a pod name or trace id too long for metadata stays in the line, and the entry arrives', () =>
  withWriter(async ({ loki, writer }) => {
    const records: TestRecord[] = [...recentRecords(2, { pod: 'p'.repeat(70_000) }), ...recentRecords(2, { traceId: 'a'.repeat(70_000) })]
    const frame = makeFrame(frameId(1), records)
    writer.send(1, frame)
    await writer.allDone(1)
    assertAll(loki, [frame])
  }))

test('entries too old for the server are dead letters in a few requests, the others arrive', () =>
  withWriter(async ({ loki, writer }) => {
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
  withWriter(async ({ loki, writer }) => {
    const records: TestRecord[] = recentRecords(50)
    records[20] = { tsNs: nowNs() + 30n * MINUTE_NS }
    writer.send(1, makeFrame(frameId(1), records))
    await writer.allDone(1)
    assert.equal(loki.count(), 49)
    const letters = await writer.deadLetters()
    assert.deepEqual(letters.map(({ n, reason }) => [n, reason]), [[20, 'too_new']])
  }))

test('records hours behind the live ones are not refused: they go to a stream of their own, in order', () =>
  withWriter(async ({ loki, writer }) => {
    const frames = [
      makeFrame(frameId(1), recentRecords(20)),
      ...[3n, 2n].map((hours, n) => {
        const from = nowNs() - hours * 60n * MINUTE_NS
        const records = Array.from({ length: 30 }, (_, k): TestRecord => ({ tsNs: from + BigInt(k) * MINUTE_NS, message: `${k}` }))
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
  withWriter(async ({ loki, writer }) => {
    // Twin 1 is as new as two hours ago; what is four hours old must go to twin 2.
    const at = (hours: bigint, seq: number) => {
      const from = nowNs() - hours * 60n * MINUTE_NS
      return makeFrame(frameId(seq), Array.from({ length: 10 }, (_, k): TestRecord => ({ tsNs: from + BigInt(k), message: `${k}` })))
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
      const twins = loki.entries().map(({ labels }) => labels['repair']).sort()
      assert.deepEqual(twins, [...Array(20).fill('1'), ...Array(20).fill('2')])
    } finally {
      await other.stop()
    }
  }))

test('a push never mixes two five-minute windows of a stream, and windows go in order', () =>
  withWriter(async ({ loki, writer }) => {
    const from = nowNs() - 30n * MINUTE_NS
    const records = Array.from({ length: 31 }, (_, k): TestRecord => ({ tsNs: from + BigInt(30 - k) * MINUTE_NS, message: `${k}` }))
    const frame = makeFrame(frameId(1), records)
    writer.send(1, frame)
    await writer.allDone(1)
    assertAll(loki, [frame])
    assert.ok(loki.stats.pushes >= 6 && loki.stats.pushes <= 7, `${loki.stats.pushes} pushes`)
  }))

test('a line over the limit is a dead letter, the entries around it arrive', () =>
  withWriter(
    async ({ loki, writer }) => {
      const records: TestRecord[] = recentRecords(10)
      records[0] = { ...(records[0] as TestRecord), message: 'x'.repeat(5000) }
      records[5] = { ...(records[5] as TestRecord), message: 'x'.repeat(5000) }
      const frame = makeFrame(frameId(1), records)
      writer.send(1, frame)
      await writer.allDone(1)
      assertAll(loki, [frame], [`${frame.id}-0`, `${frame.id}-5`])
      const letters = await writer.deadLetters()
      assert.deepEqual(letters.map(({ n, reason }) => [n, reason]), [[0, 'line_too_long'], [5, 'line_too_long']])
    },
    { line_bytes_max: 4096 },
  ))

test('labels are rewritten, cleaned and bounded; an empty one is left out', () =>
  withWriter(
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
  withWriter(
    async ({ loki, writer }) => {
      const records = Array.from({ length: 50 }, (_, n) => ({ ...(recentRecords(50)[n] as TestRecord), service: `service-${n}` }))
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
  withWriter(async ({ loki, writer }) => {
    loki.setFaults({ status: 260, body: 'ingestion blocked' })
    const frame = makeFrame(frameId(1), recentRecords(20))
    writer.send(1, frame)
    await writer.allDone(1)
    const letters = await writer.deadLetters()
    assert.equal(letters.length, 20)
    assert.ok(letters.every(({ reason }) => reason === 'blocked'))
  }))

test('a push over the limit of the server is halved, nothing is lost', () =>
  withWriter(async ({ loki, writer }) => {
    loki.setFaults({ status: 413, requests: 3 })
    const frames = someFrames()
    for (const [n, frame] of frames.entries()) writer.send(n + 1, frame)
    await writer.allDone(1, 2, 3)
    assertAll(loki, frames)
  }))
