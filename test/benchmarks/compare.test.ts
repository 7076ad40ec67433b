// Guards bench:check: it calls out what is worse by more than both runs scatter, and nothing else.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Baseline, compare, judge, NOISE_LEAST } from '../../benchmarks/harness/compare.js'
import { courseFigures } from '../../benchmarks/benches/soak.js'
import { slope } from '../../benchmarks/harness/course.js'

const ratio = (median: number, half = 0) => ({ median, least: median - half, most: median + half })

test('a difference within the least noise, or within what both runs scatter, is none', () => {
  assert.equal(judge(ratio(10), ratio(9.5), 'higher').verdict, 'same')
  assert.equal(judge(ratio(10), ratio(8), 'higher').verdict, 'worse')
  assert.equal(judge(ratio(10, 3), ratio(8, 2), 'higher').verdict, 'same')
  assert.equal(judge(ratio(10), ratio(13), 'higher').verdict, 'better')
})

test('where lower is better, higher is worse', () => {
  assert.equal(judge(ratio(10), ratio(13), 'lower').verdict, 'worse')
  assert.equal(judge(ratio(10), ratio(7), 'lower').verdict, 'better')
  assert.equal(judge(ratio(10), ratio(100), 'neither').verdict, 'same')
})

test('what is there only once is new or gone, not better or worse', () => {
  const before: Baseline = { bench: 'b', ratios: { one: { speed: ratio(1) }, two: { speed: ratio(2) } } }
  const now: Baseline = { bench: 'b', ratios: { two: { speed: ratio(1) }, three: { speed: ratio(3) } } }
  const metrics = [{ key: 'speed', label: '', unit: '', better: 'higher' as const }]
  assert.deepEqual(
    compare(before, now, metrics).map(({ case: name, verdict }) => [name, verdict]),
    [
      ['one', 'gone'],
      ['two', 'worse'],
      ['three', 'new'],
    ],
  )
})

test('worse one way is better the other way round, for any two runs', () => {
  const runs = fc
    .tuple(fc.double({ min: 0.01, max: 100, noNaN: true }), fc.double({ min: 0, max: 0.9, noNaN: true }))
    .map(([median, share]) => ratio(median, median * share))
  const opposite = { worse: 'better', better: 'worse', same: 'same', new: 'gone', gone: 'new' } as const
  fc.assert(
    fc.property(runs, runs, (one, two) => {
      for (const better of ['higher', 'lower'] as const) {
        const [there, back] = [judge(one, two, better), judge(two, one, better)]
        assert.equal(there.verdict, opposite[back.verdict])
        assert.ok((there.noise ?? 0) >= NOISE_LEAST)
      }
    }),
  )
})

test('the slope of a course is that of its line, and its figures leave the warm-up out', () => {
  assert.equal(slope([]), 0)
  assert.equal(slope([[1, 5]]), 0)
  fc.assert(
    fc.property(fc.integer({ min: -50, max: 50 }), fc.integer({ min: 2, max: 40 }), (rise, count) => {
      const points = Array.from({ length: count }, (_, x) => [x, 7 + rise * x] as const)
      assert.ok(Math.abs(slope(points) - rise) < 1e-6)
    }),
  )
  const samples = Array.from({ length: 10 }, (_, n) => ({
    seconds: n * 360,
    rssMegabytes: n < 3 ? 500 : 100 + n,
    descriptors: 40 + n,
    journalMegabytes: n === 1 ? 9 : 1,
    writtenRecords: n * 100,
    acknowledgedRecords: n < 3 ? 0 : n * 100 - 50,
    readRecords: n * 100,
  }))
  const figures = courseFigures(samples, 100)
  assert.ok(Math.abs((figures['rssSlope'] ?? 0) - 10) < 1e-6)
  assert.deepEqual(
    [figures['descriptorsFirst'], figures['descriptorsLast'], figures['lagSecondsMost']],
    [43, 49, 0.5],
  )
  assert.equal(figures['journalMegabytesMost'], 9)
})

test('memory that leaks is seen by its growth, the warm-up is none, and a short run is not judged', () => {
  const growthOf = (seconds: number, rss: (share: number) => number): number | undefined => {
    const samples = Array.from({ length: 90 }, (_, n) => ({
      seconds: (n * seconds) / 89,
      rssMegabytes: rss(n / 89),
      descriptors: 40,
      journalMegabytes: 1,
      writtenRecords: 0,
      acknowledgedRecords: 0,
      readRecords: 0,
    }))
    return courseFigures(samples, 100)['rssGrowthPercent']
  }
  assert.ok(Math.abs(growthOf(200, (share) => (share < 0.33 ? 130 + 300 * share : 240)) ?? 99) < 0.1)
  assert.ok((growthOf(200, (share) => 130 + 100 * share) ?? 0) > 15)
  assert.equal(
    growthOf(179, (share) => 130 + 100 * share),
    undefined,
  )
})
