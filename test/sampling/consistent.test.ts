// What the kernel keeps: as often as the rate says, the same on every node, and so that 1/sample_rate estimates the truth.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { NewStream } from '../../kernel/scanner-judge.js'
import type { Scanner } from '../../kernel/scanner.js'
import { FLAG, FORMAT_LINES } from '../../kernel/table.js'
import { sampling } from '../../protocol/config/sampling.js'
import { LEVELS } from '../../protocol/levels.js'
import {
  keepsTrace,
  namesTrace,
  rejectionThreshold,
  traceRandomness,
} from '../../protocol/sampling/consistent.js'
import { CONTEXTS, frameLines, NOW_MS, smallScanner } from '../kernel/bench.js'
import { seededRandom } from './rule-arbitraries.js'

/** Standard deviations: a right sampler is further off once in 150,000 tries, and the seeds are fixed. */
const DEVIATIONS = 4.5
const BATCH = 2000
const [context] = CONTEXTS
assert.ok(context !== undefined)
const encoder = new TextEncoder()

type RateOf = (stream: NewStream) => number

/** The lines that a node keeps, by their place; `emitted` gets their canonical form. */
function keptBy(
  scanner: Scanner,
  lines: readonly string[],
  rateOf: RateOf,
  emitted: (line: string) => void = () => undefined,
): number[] {
  assert.ok(context !== undefined)
  const { ptr } = scanner.contexts.render(context)
  const kept: number[] = []
  for (let first = 0; first < lines.length; first += BATCH) {
    const batch = lines.slice(first, first + BATCH)
    const bytes = encoder.encode(`${batch.join('\n')}\n`)
    scanner.input.set(bytes)
    const count = scanner.scanLines(
      scanner.inputPtr,
      scanner.inputPtr + bytes.length,
      FORMAT_LINES,
      context.trust,
    )
    assert.equal(count, batch.length)
    assert.ok(scanner.judge(0, count, ptr, NOW_MS, rateOf))
    for (let n = 0; n < count; n++) if ((scanner.flags(n) & FLAG.KEPT) !== 0) kept.push(first + n)
    scanner.beginFrame()
    assert.equal(scanner.emit(0, count, ptr), count)
    for (const line of frameLines(scanner)) if (line !== '') emitted(line)
  }
  scanner.contexts.release(ptr)
  return kept
}

function node(seed: number): Scanner {
  const scanner = smallScanner({ recordsMax: BATCH })
  scanner.kernel.fn.judgeSeed(seed, seed ^ 0x5bd1e995)
  return scanner
}

function traceIds(count: number, seed: number): string[] {
  const random = seededRandom(seed)
  const word = (): string =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0')
  return Array.from({ length: count }, () => word() + word() + word() + word())
}

function withinBinomial(kept: number, seen: number, rate: number, what: string): void {
  const off = Math.abs(kept - seen * rate)
  const bound = DEVIATIONS * Math.sqrt(seen * rate * (1 - rate))
  assert.ok(off <= bound, `${what}: ${kept} of ${seen} at rate ${rate}, more than ${bound.toFixed(1)} off`)
}

const RATES = [0, 0.001, 0.01, 0.05, 0.25, 0.5, 0.9, 0.999, 1]
const PER_RATE = 16_000

test('the share that is kept is another than the rate', () => {
  const ids = traceIds(PER_RATE, 7)
  const kinds: Readonly<Record<string, readonly string[]>> = {
    'without a trace': ids.map((_, n) => `{"n":${n}}`),
    'with a trace id': ids.map((id) => `{"trace_id":"${id}"}`),
    'with an id of zeros': ids.map(() => `{"trace_id":"${'0'.repeat(32)}"}`),
    'with the id of no span': ids.map(
      (_, n) => `{"trace_id":"${['0', '-', '', '0000000000000000'][n % 4]}"}`,
    ),
    'with a zero UUID': ids.map(() => '{"trace_id":"00000000-0000-0000-0000-000000000000"}'),
    'with a request id': ids.map((_, n) => `{"trace_id":"req-${n}"}`),
  }
  for (const [what, lines] of Object.entries(kinds)) {
    for (const [n, rate] of RATES.entries()) {
      const kept = keptBy(node(n + 1), lines, () => rate)
      withinBinomial(kept.length, lines.length, Math.fround(rate), what)
    }
  }
})

test('a tier is kept at another rate than its own', () => {
  const { tiers } = sampling.parse({ tiers: { warn: 0.5, info: 0.1, debug: 0.02 } })
  const rates: Readonly<Record<string, number>> = {
    FATAL: tiers.fatal,
    ERROR: tiers.error,
    WARN: tiers.warn,
    INFO: tiers.info ?? 1,
    DEBUG: tiers.debug,
    TRACE: tiers.trace,
  }
  const levels = LEVELS.slice(1)
  const lines = Array.from({ length: 36_000 }, (_, n) => `{"level":"${levels[n % levels.length]}","n":${n}}`)
  const kept = keptBy(node(3), lines, ({ level }) => rates[LEVELS[level] ?? ''] ?? Number.NaN)
  for (const [n, level] of levels.entries()) {
    const count = kept.filter((line) => line % levels.length === n).length
    withinBinomial(count, lines.length / levels.length, rates[level] ?? Number.NaN, level)
  }
})

test('a trace is kept on one node and dropped on another, or after a restart', () => {
  const ids = [...traceIds(3000, 11), ...Array.from({ length: 1000 }, (_, n) => `order/${n}`)]
  const ofCart = ids.map((id) => `{"level":"info","trace_id":"${id}"}`)
  const ofOther = ids.map(
    (id) => `{"msg":"x","trace_id":"${id}","service_name":"other","level":"warn","n":5}`,
  )
  let before: readonly number[] = []
  for (const rate of [0.001, 0.03, 0.3, 0.31, 0.8]) {
    const expected = ids.flatMap((id, n) => (keepsTrace(id, rate) ? [n] : []))
    const first = node(1)
    assert.deepEqual(
      keptBy(first, ofCart, () => rate),
      expected,
    )
    assert.deepEqual(
      keptBy(first, ofOther, () => rate),
      expected,
      'the same node again, as another service',
    )
    assert.deepEqual(
      keptBy(node(99), ofOther, () => rate),
      expected,
      'another node',
    )
    // Who keeps a trace at a lower rate keeps it at a higher one.
    const here = new Set(expected)
    assert.ok(before.every((n) => here.has(n)))
    before = expected
  }
})

test('an id with one character that is no hexadecimal digit, or with capitals, is taken for another', () => {
  const ids: string[] = []
  const [whole = ''] = traceIds(1, 3)
  for (let code = 32; code < 127; code++) {
    const character = String.fromCharCode(code)
    if (character === '"' || character === '\\') continue
    for (let at = 0; at < whole.length; at++) ids.push(whole.slice(0, at) + character + whole.slice(at + 1))
  }
  ids.push(whole.toUpperCase(), whole.slice(1), `${whole}0`)
  const lines = ids.map((id) => `{"trace_id":"${id}"}`)
  for (const rate of [0.1, 0.4, 0.6, 0.9])
    assert.deepEqual(
      keptBy(node(1), lines, () => rate),
      ids.flatMap((id, n) => (keepsTrace(id, rate) ? [n] : [])),
    )
})

test('1/sample_rate summed up estimates something else than what was there', () => {
  const tiers: Readonly<Record<string, number>> = { INFO: 0.02, WARN: 0.37, DEBUG: 0.004, ERROR: 1 }
  const random = seededRandom(5)
  const pick = (): string =>
    ['INFO', 'INFO', 'INFO', 'WARN', 'DEBUG', 'ERROR'][Math.floor(random() * 6)] as string
  // Traces of one record each, so that records are independent; half of the lines have none.
  const lines = traceIds(40_000, 23).map((id, n) => {
    const trace = n % 2 === 0 ? `,"trace_id":"${id}"` : ''
    return `{"level":"${pick()}","amount":${1 + Math.floor(random() * 100)}${trace}}`
  })
  const sums = { count: 0, amount: 0, countVariance: 0, amountVariance: 0 }
  const truth = { count: lines.length, amount: 0 }
  for (const line of lines) {
    const { level, amount } = JSON.parse(line) as { readonly level: string; readonly amount: number }
    const rate = Math.fround(tiers[level] ?? 1)
    truth.amount += amount
    // Of a Horvitz-Thompson estimate: (1 − p)/p × value².
    sums.countVariance += (1 - rate) / rate
    sums.amountVariance += ((1 - rate) / rate) * amount ** 2
  }
  keptBy(
    node(8),
    lines,
    ({ level }) => tiers[LEVELS[level] ?? ''] ?? Number.NaN,
    (line) => {
      const { sample_rate = 1, amount } = JSON.parse(line) as { sample_rate?: number; amount: number }
      sums.count += 1 / sample_rate
      sums.amount += amount / sample_rate
    },
  )
  // 99 % confidence interval of the normal approximation.
  const within = (got: number, wanted: number, variance: number): void =>
    assert.ok(Math.abs(got - wanted) <= 2.576 * Math.sqrt(variance), `${got}, there were ${wanted}`)
  within(sums.count, truth.count, sums.countVariance)
  within(sums.amount, truth.amount, sums.amountVariance)
  assert.ok(Math.sqrt(sums.countVariance) / truth.count < 0.05, 'an interval so wide says nothing')
})

test('a text that loggers write where there is no trace counts as one', () => {
  for (const none of ['', '0', '-', '0'.repeat(32), '00000000-0000-0000-0000-000000000000'])
    assert.equal(namesTrace(none), false, none)
  for (const id of ['0af7651916cd43dd8448eb211c80319c', `${'0'.repeat(31)}1`, 'req-0', ' '])
    assert.equal(namesTrace(id), true, id)
})

test('thresholds and randomness are others than the specification says', () => {
  assert.deepEqual([1, 0.5, 0.25, 0, 2, -1].map(rejectionThreshold), [
    0n,
    1n << 55n,
    3n << 54n,
    1n << 56n,
    0n,
    1n << 56n,
  ])
  assert.equal(traceRandomness('0af7651916cd43dd8448eb211c80319c'), 0x48eb211c80319cn)
  assert.equal(traceRandomness('0AF7651916CD43DD8448EB211C80319C'), 0x48eb211c80319cn)
  fc.assert(
    fc.property(fc.string(), fc.double({ min: 0, max: 1, noNaN: true }), (id, rate) => {
      const random = traceRandomness(id)
      assert.ok(random >= 0n && random < 1n << 56n)
      assert.ok(!keepsTrace(id, rate) || keepsTrace(id, Math.min(1, rate * 1.5)))
      assert.deepEqual([keepsTrace(id, 1), keepsTrace(id, 0)], [true, false])
    }),
  )
})
