// The writers against the real servers: what is acknowledged is there once, in the bytes that were sent.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { frameId, makeFrame, recentRecords, type TestFrame, type TestRecord } from '../writers/frames.js'
import { startWriter } from '../writers/journal.js'
import { esCount, esDeleteIndices, esRefresh, esSource } from './servers/es-query.js'
import { type LokiLine, lokiCount, lokiLines } from './servers/loki-query.js'
import { serverUrl } from './servers/settings.js'

const es = serverUrl('es')
const loki = serverUrl('loki')
const MINUTE_NS = 60_000_000_000n
const nowNs = (): bigint => BigInt(Date.now()) * 1_000_000n

/** Ids and names of this run alone: the servers keep what earlier runs left. */
function unique(): string {
  return randomBytes(5).toString('hex')
}

function id(run: string, seq: number): string {
  return `${run}${frameId(seq).slice(run.length)}`
}

async function inElasticsearch(run: (index: string, mark: string) => Promise<void>): Promise<void> {
  const mark = unique()
  const index = `millrace-writers-${mark}`
  try {
    await run(index, mark)
  } finally {
    await esDeleteIndices(es, `${index}*`)
    await fetch(`${es}/_index_template/millrace-${index}-_-_-_`, { method: 'DELETE' })
  }
}

async function assertInElasticsearch(index: string, frames: readonly TestFrame[]): Promise<void> {
  await esRefresh(es, `${index}*`)
  assert.equal(
    await esCount(es, `${index}*`),
    frames.reduce((sum, { lines }) => sum + lines.length, 0),
  )
  for (const frame of frames) {
    for (const n of [0, frame.lines.length >> 1, frame.lines.length - 1]) {
      const day = (JSON.parse(frame.lines[n] as string) as { timestamp: string }).timestamp.slice(0, 10)
      const source = await esSource(es, `${index}-${day}`, `${frame.id}-${n}`)
      assert.equal(source?.toString(), `${frame.lines[n]?.slice(0, -1)},"batch_id":"${frame.id}"}`)
    }
  }
}

test('Elasticsearch: full bulks arrive once, byte for byte, and again is not twice', () =>
  inElasticsearch(async (index, mark) => {
    const options = { type: 'elasticsearch', url: es, index: `${index}-%Y-%m-%d`, timeout: 30_000 }
    const frames = Array.from({ length: 12 }, (_, n) =>
      makeFrame(id(mark, n + 1), recentRecords(1500, { message: 'x'.repeat(200) })),
    )
    for (let round = 0; round < 2; round++) {
      const writer = await startWriter(options)
      for (const [n, frame] of frames.entries()) writer.send(n + 1, frame, n % 2 === 0 ? 'slot' : 'encoded')
      await writer.until('all done', () => writer.done.size === frames.length, 60_000)
      assert.deepEqual(await writer.deadLetters(), [])
      await writer.stop()
    }
    await assertInElasticsearch(index, frames)
    const template = await fetch(`${es}/_index_template/millrace-${index}-_-_-_`)
    assert.equal(template.status, 200)
  }))

/** Shapes that the real server refuses; each must be found as raw under its id. */
const REFUSED: readonly string[] = [
  ',"_id":"smuggled"',
  ',"":1',
  ',".a":1',
  ',"a..b":1',
  ',"amount_usd":{"a":1}',
  ',"kubernetes":7',
  `,"big":${'9'.repeat(1200)}`,
]

test('Elasticsearch: refused shapes are stored as raw, the others of the bulk as they are', () =>
  inElasticsearch(async (index, mark) => {
    const records: TestRecord[] = recentRecords(100)
    for (const [n, more] of REFUSED.entries()) records[n * 10] = { ...(records[n * 10] as TestRecord), more }
    const frame = makeFrame(id(mark, 1), records)
    const writer = await startWriter({
      type: 'elasticsearch',
      url: es,
      index: `${index}-%Y-%m-%d`,
      timeout: 30_000,
    })
    writer.send(1, frame)
    await writer.until('done', () => writer.done.has(1), 60_000)
    const letters = await writer.deadLetters()
    const raw = await writer.metric('raw_documents_total')
    await writer.stop()
    assert.deepEqual(letters, [])
    await esRefresh(es, `${index}*`)
    assert.equal(await esCount(es, `${index}*`), 100)
    let found = 0
    const day = new Date().toISOString().slice(0, 10)
    for (const n of REFUSED.keys()) {
      const text = String(await esSource(es, `${index}-${day}`, `${frame.id}-${n * 10}`))
      if ((JSON.parse(text) as { raw?: string }).raw === frame.lines[n * 10]) found++
    }
    assert.equal(found, raw)
    assert.ok(raw >= 5, `${raw} raw documents`)
  }))

test('Elasticsearch: a template that the server refuses is said, and the node waits', () =>
  inElasticsearch(async (index) => {
    const options = {
      type: 'elasticsearch',
      url: es,
      index: `${index}-%Y-%m-%d`,
      mappings: { mine: { type: 'no_such_type' } },
      timeout: 30_000,
    }
    const writer = await startWriter(options)
    try {
      await writer.until('said', () => writer.status()?.reason?.includes('no_such_type') === true, 30_000)
      assert.ok(!writer.sent.some(({ type }) => type === 'subscribe'))
    } finally {
      await writer.stop()
    }
  }))

function assertLines(lines: readonly LokiLine[], frames: readonly TestFrame[]): void {
  const byRid = new Map(lines.map((line) => [line.metadata['rid'], line.line]))
  assert.equal(lines.length, byRid.size)
  const all = frames.flatMap((frame) => frame.lines.map((line, n) => [`${frame.id}-${n}`, line] as const))
  assert.equal(byRid.size, all.length)
  for (const [rid, line] of all) assert.equal(byRid.get(rid), line)
}

test('Loki: pushes of several streams arrive once, byte for byte, and again is not twice', async () => {
  const mark = unique()
  const services = ['a', 'b', 'c', 'd'].map((letter) => `${letter}-${mark}`)
  const fromNs = nowNs() - MINUTE_NS
  const frames = Array.from({ length: 6 }, (_, n) =>
    makeFrame(
      id(mark, n + 1),
      services.flatMap((service) => recentRecords(300, { service, namespace: mark })),
    ),
  )
  for (let round = 0; round < 2; round++) {
    const writer = await startWriter({ type: 'loki', url: loki, timeout: 30_000 })
    for (const [n, frame] of frames.entries()) writer.send(n + 1, frame, n % 2 === 0 ? 'slot' : 'encoded')
    await writer.until('all done', () => writer.done.size === frames.length, 60_000)
    assert.deepEqual(await writer.deadLetters(), [])
    await writer.stop()
  }
  const span = { fromNs, toNs: nowNs() + MINUTE_NS }
  const selector = `{namespace="${mark}"}`
  const counts = await lokiCount(loki, selector, span)
  assert.deepEqual(
    new Map([...counts].sort(([a], [b]) => (a < b ? -1 : 1))),
    new Map(frames.map((frame) => [frame.id, frame.lines.length] as const)),
  )
  assertLines(await lokiLines(loki, selector, span), frames)
})

test('Loki: what is hours late is taken, what is too old or from the future is dead with the reason, in the same push', async () => {
  const mark = unique()
  const base = { namespace: mark, service: `late-${mark}` }
  const at = (tsNs: bigint, count: number): TestRecord[] =>
    Array.from({ length: count }, (_, n) => ({ ...base, tsNs: tsNs + BigInt(n) }))
  const live = makeFrame(id(mark, 1), recentRecords(20, base))
  const late = makeFrame(id(mark, 2), at(nowNs() - 120n * MINUTE_NS, 20))
  const later = makeFrame(id(mark, 3), at(nowNs() - 300n * MINUTE_NS, 20))
  const mixed = makeFrame(id(mark, 4), [
    ...at(nowNs() - 9n * 24n * 60n * MINUTE_NS, 30),
    ...recentRecords(10, base),
    ...at(nowNs() + 60n * MINUTE_NS, 1),
  ])
  const writer = await startWriter({ type: 'loki', url: loki, timeout: 30_000 })
  for (const [n, frame] of [live, late, later, mixed].entries()) {
    writer.send(n + 1, frame)
    await writer.until('done', () => writer.done.has(n + 1), 60_000)
  }
  const letters = await writer.deadLetters()
  await writer.stop()
  const reasons = new Map<string, number>()
  for (const { reason } of letters) reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  assert.deepEqual(
    reasons,
    new Map([
      ['too_old', 30],
      ['too_new', 1],
    ]),
  )
  const found = await lokiLines(loki, `{namespace="${mark}"}`, {
    fromNs: nowNs() - 400n * MINUTE_NS,
    toNs: nowNs() + MINUTE_NS,
  })
  const rids = new Set(found.map((line) => line.metadata['rid']))
  // Unflushed entries far in the past may not be visible yet (see the server's query_ingesters_within); none of the others may miss.
  for (const frame of [live, late])
    for (const n of frame.lines.keys()) assert.ok(rids.has(`${frame.id}-${n}`), `${frame.id}-${n}`)
  for (let n = 30; n < 40; n++) assert.ok(rids.has(`${mixed.id}-${n}`), `${mixed.id}-${n}`)
})

test('Loki: a stream that another writer has moved on is learnt from the refusal', async () => {
  const mark = unique()
  const at = (hours: bigint, seq: number) => {
    const tsNs = nowNs() - hours * 60n * MINUTE_NS
    const base = { namespace: mark, service: `moved-${mark}` }
    return makeFrame(
      id(mark, seq),
      Array.from({ length: 10 }, (_, n) => ({ ...base, tsNs: tsNs + BigInt(n) })),
    )
  }
  const frames = [at(1n, 1), at(3n, 2), at(3n, 3), at(1n, 4)]
  const [other, writer] = [
    await startWriter({ type: 'loki', url: loki, timeout: 30_000 }),
    await startWriter({ type: 'loki', url: loki, timeout: 30_000 }),
  ]
  try {
    for (const [n, frame] of frames.entries()) {
      const by = n === 0 ? other : writer
      by.send(n + 1, frame)
      await by.until('done', () => by.done.has(n + 1), 60_000)
    }
    assert.deepEqual(await writer.deadLetters(), [])
    const found = await lokiLines(loki, `{namespace="${mark}", repair=~".+"}`, {
      fromNs: nowNs() - 100n * MINUTE_NS,
      toNs: nowNs(),
    })
    assert.equal(new Set(found.map((line) => line.metadata['rid'])).size, 20)
  } finally {
    await other.stop()
    await writer.stop()
  }
})
