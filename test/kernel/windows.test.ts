// Rates by status and the windows of services: what judge decides and counts, against a plain model of it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { FieldNames } from '../../kernel/fields.js'
import { windowsBytes } from '../../kernel/scanner-fields.js'
import type { Scanner } from '../../kernel/scanner.js'
import { FLAG, FORMAT_LINES, STATUS_TABLES, WORD } from '../../kernel/table.js'
import { bucketOf, createSketch, fromPairs, SKETCH_BUCKETS } from '../../protocol/sampling/sketch.js'
import { CONTEXTS, frameLines, NOW_MS, smallScanner } from './bench.js'

const encoder = new TextEncoder()
const NAMES: FieldNames = {
  status: ['status', 'http.status'],
  latency: [
    { path: 'ms', unit: 'ms' },
    { path: 'http.s', unit: 's' },
  ],
}
const ERROR = 5

function smallOne(serviceSlots?: number): Scanner {
  const scanner = smallScanner(serviceSlots === undefined ? undefined : { serviceSlots })
  scanner.setFields(NAMES)
  return scanner
}

function scan(scanner: Scanner, lines: readonly string[], trust = 0): number {
  const bytes = encoder.encode(lines.map((line) => `${line}\n`).join(''))
  scanner.input.set(bytes)
  const count = scanner.scanLines(scanner.inputPtr, scanner.inputPtr + bytes.length, FORMAT_LINES, trust)
  assert.equal(scanner.cleanSlow(0, count, trust), count)
  return count
}

function render(scanner: Scanner, context = CONTEXTS[0]): number {
  assert.ok(context !== undefined)
  return scanner.contexts.render(context).ptr
}

test('the kernel puts a latency in the bucket of the sketch', () => {
  const scanner = smallScanner()
  scanner.setFields(NAMES)
  const ptr = render(scanner)
  const borders = Array.from({ length: 400 }, (_, n) => 2 ** ((n % 40) - 10) * (1 + Math.floor(n / 40) / 35))
  const latency = fc.oneof(
    fc.double({ min: 0, max: 2 ** 31, noNaN: true }),
    fc
      .tuple(fc.integer({ min: -12, max: 31 }), fc.double({ min: 1, max: 2, noNaN: true }))
      .map(([e, m]) => m * 2 ** e),
    fc.constantFrom(0, 5e-324, 2 ** -10, 2 ** 30, 2 ** 30 - 1, 1e300, ...borders),
  )
  const property = fc.property(fc.array(latency, { minLength: 1, maxLength: 100 }), (all) => {
    // 15 digits: what a record's number is read by.
    const values = all.map((value) => Number(value.toPrecision(15)))
    const count = scan(
      scanner,
      values.map((value) => `{"ms":${value}}`),
    )
    scanner.judge(0, count, ptr, NOW_MS, () => 0)
    const sketch = createSketch()
    for (const value of values) sketch.add(value)
    assert.deepEqual(scanner.takeWindow(0), { statusErrors: 0, latency: sketch.toPairs() })
  })
  fc.assert(property, { numRuns: 200 })
  assert.ok(scanner.kernel.fn.windowSlotBytes() >= 16 + SKETCH_BUCKETS * 4)
})

test('a failed request below ERROR is a status error, and only app records count', () => {
  const scanner = smallOne()
  const lines = [
    '{"level":"info","status":500}',
    '{"status":599,"ms":1}',
    '{"level":"warn","http":{"status":"503","s":0.002}}',
    '{"level":"error","status":500,"ms":4}',
    '{"level":"fatal","status":500}',
    '{"level":"info","status":499}',
    '{"level":"info","status":500,"log_type":"audit","ms":1}',
    '{"level":"info","status":500,"log_type":"metric","ms":1}',
    'status=500',
  ]
  const ptr = render(scanner)
  for (const verdict of [1, 0]) {
    const count = scan(scanner, lines)
    scanner.judge(0, count, ptr, NOW_MS, () => verdict)
    scanner.judge(0, count, ptr, NOW_MS, () => assert.fail('no stream is new'))
    assert.deepEqual(scanner.touchedSlots(), [0])
    const window = scanner.takeWindow(0)
    assert.deepEqual(window, {
      statusErrors: 3,
      latency: [1, 2, 4].flatMap((ms) => [bucketOf(ms), 1]),
    })
    assert.equal(fromPairs(window.latency).count(), 3)
    assert.deepEqual(scanner.takeWindow(0), { statusErrors: 0, latency: [] })
    assert.deepEqual(scanner.touchedSlots(), [])
    scanner.reset()
  }
})

test('slots are kept apart; one that is none, and a stream that was given none, count in the shared slot', () => {
  const scanner = smallOne(4)
  const ptr = render(scanner)
  const names = ['a', 'b', 'c', 'd', 'e']
  const lines = names.map((name, n) => `{"service_name":"${name}","ms":${n + 1},"status":500}`)
  const slots: Record<string, number> = { a: 3, b: 2, c: 4, d: 65_536 + 2 }
  const count = scan(scanner, lines)
  scanner.judge(0, count, ptr, NOW_MS, ({ id, service = '' }) => {
    if (slots[service] !== undefined) scanner.setService(id, slots[service])
    return 1
  })
  assert.deepEqual(scanner.touchedSlots(), [0, 2, 3])
  const pairs = (...all: number[]): number[] => all.flatMap((ms) => [bucketOf(ms), 1])
  assert.deepEqual(scanner.takeWindow(2), { statusErrors: 1, latency: pairs(2) })
  assert.deepEqual(scanner.touchedSlots(), [0, 3])
  assert.deepEqual(scanner.takeWindow(0), { statusErrors: 3, latency: pairs(3, 4, 5) })
  scanner.reset()
  assert.deepEqual(scanner.takeWindow(3), { statusErrors: 1, latency: pairs(1) })
  for (const none of [-1, 4, 1.5]) {
    assert.deepEqual(scanner.takeWindow(none), { statusErrors: 0, latency: [] })
  }
  assert.deepEqual(scanner.touchedSlots(), [])
  // After a reset the ids are given out anew: the new stream 1 has no slot.
  scan(scanner, ['{"ms":9}'])
  scanner.judge(0, 1, ptr, NOW_MS, () => 1)
  assert.deepEqual(scanner.touchedSlots(), [0])
})

test('the windows take the memory that is said, at every number of slots', () => {
  const { fn } = smallScanner().kernel
  for (const slots of [1, 2, 1024, 65_536]) {
    assert.ok(
      windowsBytes(slots) >= fn.windowsBytes(slots) && windowsBytes(slots) < fn.windowsBytes(slots) + 128,
    )
  }
})

test('a status table that is none is refused', () => {
  const scanner = smallOne()
  for (const table of [0, -1, STATUS_TABLES + 1, 1.5, Number.NaN])
    assert.throws(() => scanner.setStatusRates(table, []), { code: 'kernel.status' })
  for (const table of [-1, STATUS_TABLES + 1, 1.5])
    assert.throws(() => scanner.setStatusTable(1, table), { code: 'kernel.status' })
  scanner.setStatusRates(STATUS_TABLES, new Float32Array(1000))
  scanner.setStatusTable(1, STATUS_TABLES)
})

test('records of one stream with several rates are written each with its own rate and weight', () => {
  const scanner = smallOne()
  const ptr = render(scanner)
  const rates = new Float32Array(1000).fill(Number.NaN)
  rates.set([0.5, 1, 0.125], 200)
  rates[404] = 0
  rates[405] = 1e-12
  scanner.setStatusRates(7, rates)
  const statuses = [200, 201, 202, 203, undefined, 404, 405]
  const lines = Array.from({ length: 400 }, (_, n) => JSON.stringify({ status: statuses[n % 7], seq: n }))
  const count = scan(scanner, lines)
  scanner.judge(0, count, ptr, NOW_MS, ({ id }) => {
    scanner.setStatusTable(id, 7)
    return 0.75
  })
  scanner.beginFrame()
  assert.equal(scanner.emit(0, count, ptr), count)
  const { indexPtr } = scanner.sealInfo()
  const seen = new Map<number, number>()
  frameLines(scanner).forEach((line, n) => {
    const { status, sample_rate: rate = 1 } = JSON.parse(line) as { status?: number; sample_rate?: number }
    const expected = [0.5, 1, 0.125][(status ?? 0) - 200] ?? 0.75
    assert.equal(rate, expected, line)
    assert.equal(scanner.kernel.view.getFloat32(indexPtr + n * 32 + WEIGHT_AT, true), Math.fround(1 / rate))
    seen.set(rate, (seen.get(rate) ?? 0) + 1)
    assert.ok(status !== 404 && status !== 405, line)
  })
  assert.deepEqual(
    [...seen.keys()].sort((a, b) => a - b),
    [0.125, 0.5, 0.75, 1],
  )
  // A table that changes counts from the next judge on; taken away, the stream's own rate is back.
  scanner.setStatusRates(7, [])
  scan(scanner, ['{"status":404}'])
  scanner.judge(0, 1, ptr, NOW_MS, () => 1)
  assert.equal(rateOf(scanner, 0), 0.75)
  scanner.setStatusRates(7, new Float32Array(1000).fill(1))
  for (const [table, rate] of [
    [7, 1],
    [0, 0.75],
  ] as const) {
    scanner.setStatusTable(1, table)
    scan(scanner, ['{"status":404}'])
    scanner.judge(0, 1, ptr, NOW_MS, () => 1)
    assert.equal(rateOf(scanner, 0), rate)
  }
})

/** Where a frame's index entry has its weight. */
const WEIGHT_AT = 20

function rateOf(scanner: Scanner, record: number): number {
  return new Float32Array(Uint32Array.of(scanner.word(record, WORD.RATE)).buffer)[0] ?? Number.NaN
}

/** Rates by status of a table, from few bands; NaN = the stream's rate. */
const table = fc
  .array(fc.tuple(fc.nat(999), fc.nat(400), fc.constantFrom(0, 1, 0.5, Number.NaN)), { maxLength: 6 })
  .map((bands) => {
    const rates = new Float32Array(1000).fill(Number.NaN)
    for (const [from, length, rate] of bands) rates.fill(rate, from, from + length)
    return rates
  })

const SERVICES = ['a', 'b', 'c', 'd']
const LEVELS = ['debug', 'info', 'warn', 'error', 'fatal'] as const
const LEVEL_NUMBERS = { debug: 2, info: 3, warn: 4, error: 5, fatal: 6 } as const
const record = fc.record({
  service_name: fc.constantFrom(...SERVICES),
  level: fc.constantFrom(...LEVELS),
  log_type: fc.constantFrom('app', 'app', 'app', 'audit', 'metric'),
  status: fc.oneof(fc.constant(undefined), fc.nat(999), fc.constantFrom(499, 500, 503)),
  nested: fc.boolean(),
  ms: fc.oneof(fc.constant(undefined), fc.double({ min: 0, max: 5000, noNaN: true }), fc.nat(2 ** 31)),
})
type Fields = typeof record extends fc.Arbitrary<infer T> ? T : never

function lineOf({ nested, status, ms, ...names }: Fields): string {
  return JSON.stringify(nested ? { ...names, http: { x: '{', status }, ms } : { ...names, status, ms })
}

/** What the windows must say, by the plain rules. */
function createModel(slots: Readonly<Record<string, number>>) {
  const windows = new Map<number, { statusErrors: number; sketch: ReturnType<typeof createSketch> }>()
  return {
    windows,
    count({ service_name, level, log_type, status, ms }: Fields): void {
      const isError = status !== undefined && status >= 500 && LEVEL_NUMBERS[level] < ERROR
      if (log_type !== 'app' || (!isError && ms === undefined)) return
      const slot = slots[service_name] ?? 0
      const window = windows.get(slot) ?? { statusErrors: 0, sketch: createSketch() }
      windows.set(slot, window)
      if (isError) window.statusErrors++
      if (ms !== undefined) window.sketch.add(Number(Number(ms).toPrecision(15)))
    },
  }
}

test('verdicts and windows of any traffic are those of the plain model', () => {
  const scanner = smallOne()
  const ptr = render(scanner)
  const setting = fc.record({
    tables: fc.array(table, { minLength: 3, maxLength: 3 }),
    tableOf: fc.record(Object.fromEntries(SERVICES.map((name) => [name, fc.nat(3)]))),
    slotOf: fc.record(Object.fromEntries(SERVICES.map((name) => [name, fc.nat(1100)]))),
    rateOf: fc.record(Object.fromEntries(SERVICES.map((name) => [name, fc.constantFrom(0, 1, 0.5)]))),
  })
  const property = fc.property(
    setting,
    fc.array(fc.array(record, { maxLength: 40 }), { minLength: 1, maxLength: 4 }),
    ({ tables, tableOf, slotOf, rateOf: streamRate }, batches) => {
      scanner.beginFrame()
      scanner.reset()
      tables.forEach((rates, n) => scanner.setStatusRates(n + 1, rates))
      const model = createModel(
        Object.fromEntries(
          SERVICES.map((name) => [name, (slotOf[name] ?? 0) < 1024 ? (slotOf[name] ?? 0) : 0]),
        ),
      )
      for (const batch of batches) {
        const count = scan(scanner, batch.map(lineOf))
        scanner.judge(0, count, ptr, NOW_MS, ({ id, service = '' }) => {
          scanner.setService(id, slotOf[service] ?? 0)
          scanner.setStatusTable(id, tableOf[service] ?? 0)
          return streamRate[service] ?? 1
        })
        batch.forEach((fields, n) => {
          model.count(fields)
          const own = tables[(tableOf[fields.service_name] ?? 0) - 1]?.[fields.status ?? -1] ?? Number.NaN
          const rate = Number.isNaN(own) ? streamRate[fields.service_name] : own
          assert.equal(rateOf(scanner, n), rate, lineOf(fields))
          const isKept = (scanner.flags(n) & FLAG.KEPT) !== 0
          if (rate !== 0.5) assert.equal(isKept, rate === 1, lineOf(fields))
        })
      }
      assert.deepEqual(
        scanner.touchedSlots(),
        [...model.windows.keys()].sort((a, b) => a - b),
      )
      for (const [slot, { statusErrors, sketch }] of model.windows)
        assert.deepEqual(scanner.takeWindow(slot), { statusErrors, latency: sketch.toPairs() })
      assert.deepEqual(scanner.touchedSlots(), [])
    },
  )
  fc.assert(property, { numRuns: 150 })
})
