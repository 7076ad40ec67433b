// Quantiles of the latency sketch: the stated error, merging, sliding, and the way over the wire.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  BUCKETS_PER_OCTAVE,
  bucketOf,
  createSketch,
  fromPairs,
  RELATIVE_ERROR,
  SKETCH_BUCKETS,
  type Sketch,
  valueOf,
} from '../../protocol/sampling/sketch.js'

const LOWEST_MS = 2 ** -10
const HIGHEST_MS = 2 ** 30

/** Latencies spread over all octaves, not over all numbers. */
const latencyMs = fc
  .tuple(fc.double({ min: -10, max: 29.999, noNaN: true }), fc.double({ min: 0, max: 0.0001, noNaN: true }))
  .map(([exponent, more]) => 2 ** exponent * (1 + more))
const narrowMs = fc
  .tuple(latencyMs, fc.double({ min: 0, max: 3, noNaN: true }))
  .map(([a, b]) => Math.min(a * (1 + b), HIGHEST_MS - 1))
const latencies = fc.oneof(
  fc.array(latencyMs, { minLength: 1, maxLength: 200 }),
  fc.array(narrowMs, { minLength: 1, maxLength: 200 }),
  fc.array(fc.constantFrom(1, 2, 3, 250.5), { minLength: 1, maxLength: 200 }),
)

function sketchOf(values: readonly number[]): Sketch {
  const sketch = createSketch()
  for (const value of values) sketch.add(value)
  return sketch
}

/** All of an octave's borders, from both sides, and the octaves' own borders. */
function borders(): number[] {
  const found: number[] = []
  for (let exponent = -10; exponent < 30; exponent++) {
    for (let step = 0; step <= 2000; step++) found.push(2 ** exponent * (1 + step / 2000))
  }
  return found
}

test('a latency is reported further off than the stated error', () => {
  const within = (ms: number): void => {
    const got = valueOf(bucketOf(ms))
    assert.ok(Math.abs(got - ms) <= RELATIVE_ERROR * ms, `${ms} is reported as ${got}`)
  }
  fc.assert(fc.property(latencyMs, within), { numRuns: 2000 })
  for (const ms of borders()) if (ms < HIGHEST_MS) within(ms)
})

test('a longer latency falls in a lower bucket', () => {
  let last = 0
  for (const ms of borders()) {
    const bucket = bucketOf(ms)
    assert.ok(bucket >= last && bucket <= last + 1, `${ms}: ${bucket} after ${last}`)
    last = bucket
  }
  assert.equal(last, SKETCH_BUCKETS - 1)
  assert.equal(bucketOf(1), 10 * BUCKETS_PER_OCTAVE)
  for (let bucket = 0; bucket < SKETCH_BUCKETS; bucket++) assert.equal(bucketOf(valueOf(bucket)), bucket)
})

test('a latency out of range breaks the sketch', () => {
  const low = [0, -0, -1, Number.NaN, 1e-9, Number.MIN_VALUE, LOWEST_MS, Number.NEGATIVE_INFINITY]
  assert.deepEqual(
    low.map(bucketOf),
    low.map(() => 0),
  )
  const high = [HIGHEST_MS, 1e300, Number.MAX_VALUE, Number.POSITIVE_INFINITY, 2 ** 30 * (1 - 2 ** -53)]
  assert.deepEqual(
    high.map(bucketOf),
    high.map(() => SKETCH_BUCKETS - 1),
  )
  for (const bucket of [-1, SKETCH_BUCKETS, 0.5, Number.NaN]) assert.ok(Number.isNaN(valueOf(bucket)))
})

test('a quantile is off by more than the stated error', () => {
  fc.assert(
    fc.property(latencies, fc.double({ min: 0, max: 1, noNaN: true }), (values, q) => {
      const sketch = sketchOf(values)
      const sorted = [...values].sort((a, b) => a - b)
      for (const each of [q, 0, 0.5, 0.9, 0.99, 1]) {
        const exact = sorted[Math.floor(each * (values.length - 1))] ?? Number.NaN
        const got = sketch.quantile(each) ?? Number.NaN
        assert.ok(Math.abs(got - exact) <= RELATIVE_ERROR * exact, `q ${each}: ${got}, exact ${exact}`)
      }
    }),
    { numRuns: 500 },
  )
})

test('an empty sketch invents a latency', () => {
  const sketch = createSketch()
  assert.deepEqual([sketch.quantile(0.5), sketch.count(), sketch.toPairs()], [undefined, 0, []])
  sketch.add(5)
  sketch.clear()
  assert.deepEqual([sketch.quantile(0.5), sketch.count(), sketch.toPairs()], [undefined, 0, []])
})

test('sketches merged differ from one sketch of all; what slides out leaves a trace', () => {
  fc.assert(
    fc.property(fc.array(latencies, { minLength: 1, maxLength: 5 }), (parts) => {
      const merged = createSketch()
      for (const part of parts) merged.merge(sketchOf(part))
      const all = sketchOf(parts.flat())
      assert.deepEqual(merged.toPairs(), all.toPairs())
      assert.equal(merged.count(), all.count())
      merged.subtract(sketchOf(parts[0] ?? []))
      const rest = sketchOf(parts.slice(1).flat())
      assert.deepEqual(merged.toPairs(), rest.toPairs())
      assert.deepEqual([merged.count(), merged.quantile(0.99)], [rest.count(), rest.quantile(0.99)])
    }),
  )
})

test('a sketch merged with itself counts twice', () => {
  const sketch = sketchOf([1, 2, 2, 400])
  sketch.merge(sketch)
  assert.equal(sketch.count(), 8)
  sketch.subtract(sketch)
  assert.deepEqual([sketch.count(), sketch.toPairs()], [0, []])
})

test('a sketch changes on its way over the wire', () => {
  fc.assert(
    fc.property(latencies, fc.integer({ min: 1, max: 1000 }), (values, n) => {
      const sketch = sketchOf(values)
      sketch.add(7, n)
      const pairs: unknown = JSON.parse(JSON.stringify(sketch.toPairs()))
      const back = fromPairs(pairs as number[])
      assert.deepEqual(back.toPairs(), sketch.toPairs())
      assert.deepEqual([back.count(), back.quantile(0.9)], [sketch.count(), sketch.quantile(0.9)])
    }),
  )
})

test('numbers from another node that are no sketch are taken', () => {
  const bad = [[1], [-1, 2], [SKETCH_BUCKETS, 1], [1.5, 1], [3, -1], [3, 0.5], [3, Number.NaN], [3, 2 ** 53]]
  for (const pairs of bad) assert.throws(() => fromPairs(pairs), { code: 'sketch.bucket' }, String(pairs))
})
