// Frames: their index, unique timestamps, weights, and what happens when they are full.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Scanner } from '../../kernel/scanner.js'
import { FORMAT_LINES } from '../../kernel/table.js'
import { rateText } from '../../kernel/twin.js'
import { CONTEXTS, frameLines, NOW_MS, smallScanner } from './bench.js'

const [kubernetes] = CONTEXTS
assert.ok(kubernetes !== undefined)
const encoder = new TextEncoder()

interface Entry {
  readonly tsNs: bigint
  readonly text: string
  readonly stream: number
  readonly weight: number
  readonly trace: string
}

function readIndex(scanner: Scanner): Entry[] {
  const { kernel } = scanner
  const { indexPtr, ndjsonPtr, count } = scanner.sealInfo()
  const text = (at: number, length: number): string =>
    Buffer.from(kernel.u8.subarray(at, at + length)).toString()
  return Array.from({ length: count }, (_, n) => {
    const at = indexPtr + n * 32
    const u32 = (offset: number): number => kernel.view.getUint32(at + offset, true)
    const record = ndjsonPtr + u32(8)
    const weight = kernel.view.getFloat32(at + 20, true)
    const trace = u32(24) === 0 ? '' : text(record + u32(24), u32(28))
    return {
      tsNs: kernel.view.getBigInt64(at, true),
      text: text(record, u32(12)),
      stream: u32(16),
      weight,
      trace,
    }
  })
}

function judged(scanner: Scanner, lines: readonly string[], ptr: number, rate: number): number {
  const bytes = encoder.encode(`${lines.join('\n')}\n`)
  scanner.input.set(bytes)
  const count = scanner.scanLines(scanner.inputPtr, scanner.inputPtr + bytes.length, FORMAT_LINES, 255)
  assert.equal(count, lines.length)
  scanner.cleanSlow(0, count, 255)
  assert.ok(scanner.judge(0, count, ptr, NOW_MS, () => rate))
  return count
}

test('the index points at every record, its stream and its trace id', () => {
  const scanner = smallScanner()
  const { ptr } = scanner.contexts.render(kubernetes)
  const lines = [
    '{"trace_id":"abc","level":"info"}',
    'ERROR x',
    '{"trace_id":"","level":"info"}',
    '{"level":"error","trace_id":"0af7651916cd43dd8448eb211c80319c"}',
  ]
  for (let frame = 0; frame < 2; frame++) {
    scanner.beginFrame()
    const count = judged(scanner, lines, ptr, 1)
    assert.equal(scanner.emit(0, count, ptr), count)
    const index = readIndex(scanner)
    assert.deepEqual(
      index.map(({ text }) => text),
      frameLines(scanner),
    )
    assert.deepEqual(
      index.map(({ stream }) => stream),
      [0, 1, 0, 1],
    )
    assert.deepEqual(
      index.map(({ trace }) => trace),
      ['abc', '', '', '0af7651916cd43dd8448eb211c80319c'],
    )
    assert.deepEqual(
      index.map(({ weight }) => weight),
      [1, 1, 1, 1],
    )
    assert.deepEqual(scanner.sealInfo().streamIds, [1, 2])
    assert.deepEqual([scanner.sealInfo().minTsMs, scanner.sealInfo().maxTsMs], [NOW_MS, NOW_MS])
  }
})

test('sample_rate is written with six digits and the weight is its inverse', () => {
  const scanner = smallScanner()
  const { ptr } = scanner.contexts.render(kubernetes)
  const rates = fc.oneof(
    fc.double({ min: 1e-9, max: 1, noNaN: true }),
    fc.constantFrom(0.1, 0.001, 0.5, 0.999999999, 0.3333333, 1e-9, 0.25),
  )
  const property = fc.property(rates, (rate) => {
    scanner.setRate(1, 1)
    const count = judged(scanner, ['{"level":"info"}'], ptr, 1)
    // The first judge met the stream: give it the rate, and force the verdict.
    scanner.setRate(1, rate)
    if (Math.fround(rate) >= 1) return
    scanner.setWord(0, 20, new Uint32Array(Float32Array.of(rate).buffer)[0] ?? 0)
    scanner.beginFrame()
    scanner.emit(0, count, ptr)
    const [entry] = readIndex(scanner)
    const text = rateText(rate)
    assert.ok(
      entry?.text.includes(`,"sample_rate":${text},`) || entry?.text.endsWith(`,"sample_rate":${text}}`),
      `${entry?.text} ${text}`,
    )
    assert.ok(Math.abs((entry?.weight ?? 0) * Number(text) - 1) < 1e-6)
    scanner.beginFrame()
  })
  fc.assert(property, { numRuns: 500 })
})

test('timestamps are unique within a stream and keep the digits that the record has', () => {
  const scanner = smallScanner()
  let id = 10
  const stamps = fc.constantFrom(
    '2026-01-01T00:00:00Z',
    '2026-01-01T00:00:00.5Z',
    '2026-01-01T00:00:00.123456Z',
    '2026-01-01T00:00:00.123456789Z',
    '2026-01-01T00:00:00.123456788Z',
    '2026-01-01T00:00:00.12345678Z',
  )
  const property = fc.property(fc.array(stamps, { minLength: 1, maxLength: 60 }), (unsorted) => {
    const times = unsorted.toSorted()
    const seen = new Set<bigint>()
    scanner.beginFrame()
    const { ptr } = scanner.contexts.render({ ...kubernetes, id: id++ })
    const count = judged(
      scanner,
      times.map((ts) => `{"ts":"${ts}"}`),
      ptr,
      1,
    )
    scanner.emit(0, count, ptr)
    readIndex(scanner).forEach(({ tsNs, text }, n) => {
      const own = times[n] ?? ''
      assert.ok(text.startsWith(`{"timestamp":"${own}"`))
      const fraction = /\.(\d+)/.exec(own)?.[1] ?? ''
      const base = BigInt(Date.parse('2026-01-01T00:00:00Z')) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
      const unit = 10n ** BigInt(9 - fraction.length)
      assert.ok(tsNs >= base && tsNs < base + unit + 1_000_000n, `${own} ${tsNs}`)
      assert.equal(seen.has(tsNs), false)
      seen.add(tsNs)
    })
    scanner.contexts.release(ptr)
  })
  fc.assert(property, { numRuns: 30 })
})

test('emit stops before the record that does not fit and goes on in the next frame', () => {
  const scanner = smallScanner({ frameBytes: 1 << 16 })
  const { ptr } = scanner.contexts.render(kubernetes)
  const lines = Array.from({ length: 200 }, (_, n) =>
    n % 3 === 0 ? `{"n":${n},"x":"${'y'.repeat(n * 7)}"}` : `text ${n} ${'"'.repeat(n * 5)}`,
  )
  const count = judged(scanner, lines, ptr, 1)
  const records: string[] = []
  let frames = 0
  for (let next = 0; next < count; ) {
    scanner.beginFrame()
    const after = scanner.emit(next, count, ptr)
    assert.ok(after > next, 'every frame takes at least one record')
    assert.ok(scanner.frameBytesUsed() <= 1 << 16)
    records.push(...frameLines(scanner))
    next = after
    frames++
  }
  assert.ok(frames > 1)
  assert.equal(records.length, lines.length)
  records.forEach((record, n) => {
    const value = JSON.parse(record) as { n?: number; message?: string }
    if (n % 3 === 0) assert.equal(value.n, n)
    else assert.equal(value.message, lines[n])
  })
})

test('a frame takes no more records than its index', () => {
  const scanner = smallScanner({ recordsMax: 4096 })
  const { ptr } = scanner.contexts.render(kubernetes)
  const lines = Array.from({ length: 3000 }, () => 'x')
  judged(scanner, lines, ptr, 1)
  assert.equal(scanner.emit(0, 3000, ptr), 3000)
  judged(scanner, lines, ptr, 1)
  assert.equal(scanner.emit(0, 3000, ptr), 1096)
  assert.equal(scanner.frameCount(), 4096)
})

test('text of the worst sort, all control bytes, fits a region of six times its size', () => {
  const scanner = smallScanner({ frameBytes: 6 * 40_000 + 16_384 })
  const { ptr } = scanner.contexts.render(kubernetes)
  const count = judged(scanner, ['\u0001'.repeat(40_000)], ptr, 1)
  assert.equal(scanner.emit(0, count, ptr), 1)
  const value = JSON.parse(frameLines(scanner)[0] ?? '') as { message: string }
  assert.equal(value.message, '\u0001'.repeat(40_000))
})
