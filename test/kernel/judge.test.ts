// Sampling in the kernel: streams, rates, trace-consistent verdicts, counts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NewStream } from '../../kernel/scanner-judge.js'
import type { Scanner } from '../../kernel/scanner.js'
import { FLAG, FORMAT_LINES, INTERN_OVERFLOW, STREAMS_MAX, WORD } from '../../kernel/table.js'
import { CONTEXTS, frameLines, NOW_MS, smallScanner } from './bench.js'

const encoder = new TextEncoder()
const [kubernetes, open] = CONTEXTS
assert.ok(kubernetes !== undefined && open !== undefined)

function scan(scanner: Scanner, lines: readonly string[], trust = 255): number {
  const bytes = encoder.encode(`${lines.join('\n')}\n`)
  scanner.input.set(bytes)
  const count = scanner.scanLines(scanner.inputPtr, scanner.inputPtr + bytes.length, FORMAT_LINES, trust)
  assert.equal(scanner.cleanSlow(0, count, trust), count)
  return count
}

function kept(scanner: Scanner, count: number): number[] {
  return Array.from({ length: count }, (_, n) => n).filter((n) => (scanner.flags(n) & FLAG.KEPT) !== 0)
}

test('a stream is asked for its rate once, with decoded names', () => {
  const scanner = smallScanner()
  const { ptr } = scanner.contexts.render(open)
  const met: NewStream[] = []
  const rateOf = (stream: NewStream): number => (met.push(stream), 1)
  const lines = [
    '{"service_name":"caf\\u00e9 \\"x\\"","namespace":"ns","level":"error","log_type":"metric"}',
    '{"service_name":"caf\\u00e9 \\"x\\"","namespace":"ns","level":"ERR","log_type":"metric"}',
    '{"a":1}',
    'text',
  ]
  for (let round = 0; round < 2; round++) {
    const count = scan(scanner, lines, open.trust)
    assert.ok(scanner.judge(0, count, ptr, NOW_MS, rateOf))
    assert.equal(kept(scanner, count).length, 4)
  }
  assert.deepEqual(met, [
    { id: 1, contextId: 2, service: 'café "x"', namespace: 'ns', level: 5, logType: 2 },
    { id: 2, contextId: 2, service: undefined, namespace: undefined, level: 3, logType: 1 },
  ])
})

test('counts say what was seen and kept, once, however often judge had to be called', () => {
  const scanner = smallScanner()
  const { ptr } = scanner.contexts.render(kubernetes)
  const lines = [
    '{"level":"info"}',
    '{"level":"debug","x":1}',
    '{"level":"info"}',
    'ERROR x',
    '{"level":"debug","x":1}',
  ]
  const rates = [1, 0, 0, 0, 0, 1, 1]
  const count = scan(scanner, lines)
  scanner.judge(0, count, ptr, NOW_MS, ({ level }) => rates[level] ?? 0)
  scanner.judge(0, count, ptr, NOW_MS, () => assert.fail('no stream is new'))
  const counts: unknown[] = []
  scanner.takeCounts(({ seen, kept: keptNow, seenBytes, keptBytes }) =>
    counts.push([seen, keptNow, seenBytes, keptBytes]),
  )
  assert.deepEqual(counts, [
    [2, 0, 32, 0],
    [2, 0, 46, 0],
    [1, 1, 7, 7],
  ])
  scanner.takeCounts(() => assert.fail('zeroed'))
})

test('records of one trace share their fate, by the OpenTelemetry threshold', () => {
  const rate = 0.25
  const threshold = BigInt((1 - rate) * 2 ** 56)
  const ids = Array.from({ length: 300 }, (_, n) => {
    const random = (BigInt(n) * 0x9e3779b97f4a7c15n) & ((1n << 56n) - 1n)
    return `00112233445566778${(n % 10).toString(16)}${random.toString(16).padStart(14, '0')}`
      .slice(-32)
      .padStart(32, 'a')
  })
  const edges = [threshold - 1n, threshold, threshold + 1n].map((value) =>
    value.toString(16).padStart(32, '0'),
  )
  const all = [...ids, ...edges, edges[1]?.toUpperCase() ?? '']
  const verdicts = [1n, 99n].map((seed) => {
    const scanner = smallScanner()
    scanner.kernel.fn.judgeSeed(Number(seed), 0)
    const { ptr } = scanner.contexts.render(kubernetes)
    const count = scan(
      scanner,
      all.map((id) => `{"trace_id":"${id}"}`),
    )
    scanner.judge(0, count, ptr, NOW_MS, () => rate)
    return kept(scanner, count)
  })
  const expected = all.flatMap((id, n) => (BigInt(`0x${id.slice(-14)}`) >= threshold ? [n] : []))
  assert.deepEqual(verdicts[0], expected)
  assert.deepEqual(verdicts[1], expected)
})

test('any other trace id is kept the same way by every node, and about as often as the rate says', () => {
  const lines = Array.from({ length: 500 }, (_, n) => `{"trace_id":"req-${n}"}`)
  const verdicts = [5, 6].map((seed) => {
    const scanner = smallScanner()
    scanner.kernel.fn.judgeSeed(seed, seed)
    const { ptr } = scanner.contexts.render(kubernetes)
    const count = scan(scanner, lines)
    scanner.judge(0, count, ptr, NOW_MS, () => 0.5)
    return kept(scanner, count)
  })
  assert.deepEqual(verdicts[0], verdicts[1])
  const share = (verdicts[0]?.length ?? 0) / lines.length
  assert.ok(share > 0.4 && share < 0.6, String(share))
})

test('records without a trace are kept at the rate, the same for the same seed', () => {
  const lines = Array.from({ length: 500 }, () => '{"trace_id":""}')
  const run = (seed: number): number[] => {
    const scanner = smallScanner()
    scanner.kernel.fn.judgeSeed(seed, 1)
    const { ptr } = scanner.contexts.render(kubernetes)
    const count = scan(scanner, lines)
    scanner.judge(0, count, ptr, NOW_MS, () => 0.1)
    return kept(scanner, count)
  }
  assert.deepEqual(run(3), run(3))
  assert.notDeepEqual(run(3), run(4))
  assert.ok(run(3).length > 20 && run(3).length < 90, String(run(3).length))
})

test('the time of a record without one is now, in milliseconds', () => {
  const scanner = smallScanner()
  const { ptr } = scanner.contexts.render(kubernetes)
  const count = scan(scanner, ['text', '{"ts":0}'])
  scanner.judge(0, count, ptr, NOW_MS, () => 1)
  assert.deepEqual([scanner.tsNs(0), scanner.word(0, WORD.TS_DIGITS)], [BigInt(NOW_MS) * 1_000_000n, 3])
  assert.deepEqual([scanner.tsNs(1), scanner.word(1, WORD.TS_DIGITS)], [0n, 0])
})

test('a full stream table refuses a batch whole, and a reset makes room', () => {
  const scanner = smallScanner({ recordsMax: 4096 })
  const line = 'x'
  let contextId = 1
  const judgeBatch = (): boolean => {
    const count = scan(
      scanner,
      Array.from({ length: 2048 }, () => line),
    )
    const cell = scanner.contexts.render({ ...kubernetes, id: contextId++ })
    const judged = scanner.judge(0, count, cell.ptr, NOW_MS, () => 1)
    scanner.contexts.release(cell.ptr)
    return judged
  }
  // One stream a batch: fill the table with service names instead.
  const names = Array.from({ length: 2048 }, (_, n) => `{"service_name":"s${n}"}`)
  for (let batch = 0; batch < 7; batch++) {
    const count = scan(scanner, names)
    const cell = scanner.contexts.render({ ...kubernetes, id: 1000 + batch })
    assert.ok(scanner.judge(0, count, cell.ptr, NOW_MS, () => 1))
    scanner.contexts.release(cell.ptr)
  }
  assert.equal(scanner.streamCount(), 7 * 2048)
  assert.ok(scanner.needsReset())
  assert.ok(judgeBatch())
  assert.equal(scanner.streamCount(), 7 * 2048 + 1)
  assert.equal(judgeBatch(), false)
  assert.equal((scanner.flags(0) & FLAG.JUDGED) !== 0, false)
  scanner.reset()
  assert.equal(scanner.needsReset(), false)
  assert.ok(judgeBatch())
  assert.ok(scanner.streamCount() < STREAMS_MAX)
})

test('a reset under an open frame is refused', () => {
  const scanner = smallScanner()
  const { ptr } = scanner.contexts.render(kubernetes)
  const count = scan(scanner, ['a'])
  scanner.judge(0, count, ptr, NOW_MS, () => 1)
  scanner.emit(0, count, ptr)
  assert.throws(() => scanner.reset(), { code: 'kernel.reset' })
  scanner.beginFrame()
  scanner.reset()
})

test('texts beyond the intern table or its length count as one stream, and stay whole in the record', () => {
  const scanner = smallScanner({ recordsMax: 4096 })
  const long = 'n'.repeat(257)
  const lines = Array.from({ length: 4095 }, (_, n) => `{"service_name":"service-${n}"}`)
  scan(scanner, lines)
  const count = scan(scanner, [
    '{"service_name":"one"}',
    '{"service_name":"two"}',
    '{"service_name":"three"}',
    `{"service_name":"${long}"}`,
  ])
  const ids = Array.from({ length: count }, (_, n) => scanner.word(n, WORD.SERVICE))
  assert.deepEqual(ids, [4096, INTERN_OVERFLOW, INTERN_OVERFLOW, INTERN_OVERFLOW])
  const { ptr } = scanner.contexts.render(kubernetes)
  const met: (string | undefined)[] = []
  scanner.judge(0, count, ptr, NOW_MS, ({ service }) => (met.push(service), 1))
  assert.deepEqual(met, ['one', 'overflow'])
  scanner.emit(0, count, ptr)
  assert.ok(frameLines(scanner)[3]?.includes(`"service_name":"${long}"`))
})
