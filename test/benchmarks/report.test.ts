// Guards the runner and its report: which rounds count, what a ratio is of, and that nothing is left behind when a case fails.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import type { Bench, Case, Measurement } from '../../benchmarks/harness/bench.js'
import { readOptions } from '../../benchmarks/harness/options.js'
import { renderPlot } from '../../benchmarks/harness/plot.js'
import { type Report, reportName } from '../../benchmarks/harness/report.js'
import { inTurn, runBench } from '../../benchmarks/harness/runner.js'
import { spread, summarize } from '../../benchmarks/harness/statistics.js'
import { renderReport } from '../../benchmarks/harness/table.js'
import { save } from '../../benchmarks/measure.js'

type Measure = (round: number) => Measurement | Promise<Measurement>

function benchOf(cases: Record<string, Measure>, onOpen?: (folder: string) => void): Bench {
  return {
    name: 'made-up',
    summary: 'a <bench> & its "report"',
    metrics: [{ key: 'speed', label: 'speed', unit: 'records/s', better: 'higher' }],
    ratios: ['speed'],
    rounds: { default: 1, quick: 1, warmUp: 0 },
    options: { size: { value: 'n', default: '10', quick: '1', text: 'its size' } },
    async open(_options, kit) {
      onOpen?.(kit.scratch.folder)
      return {
        cases: Object.entries(cases).map(
          ([name, measure]): Case => ({
            name,
            role: name === 'reference' ? 'reference' : 'measured',
            ...(name === 'reference' ? {} : { against: 'reference' }),
            measure: async (round) => measure(round),
          }),
        ),
        bars: [{ what: 'fast <enough>', case: 'own', metric: 'speed', least: 25 }],
        notes: ['said & done'],
        plots: () => [
          {
            title: 'a < b',
            xLabel: 'x',
            yLabel: 'y',
            curves: [
              {
                name: 'curve',
                points: [
                  [1, 2],
                  [10, 3],
                ],
              },
            ],
          },
        ],
      }
    },
  }
}

function run(bench: Bench, rounds: number, warmUp = 0, stop?: AbortSignal): Promise<Report> {
  const options = readOptions(bench.options, [], 'bench made-up')
  return runBench(bench, {
    options,
    rounds,
    warmUp,
    say: () => undefined,
    ...(stop === undefined ? {} : { stop }),
  })
}

test('a ratio is of one round, and the median is of ratios, not the ratio of medians', async () => {
  const speeds = { reference: [1, 10, 100], own: [20, 100, 3000] }
  const report = await run(
    benchOf({
      reference: (round) => ({ speed: speeds.reference[round] as number }),
      own: (round) => ({ speed: speeds.own[round] as number }),
    }),
    3,
  )
  const own = report.cases.find(({ name }) => name === 'own')
  assert.deepEqual(own?.ratios['speed']?.values, [20, 10, 30])
  assert.equal(own?.ratios['speed']?.median, 20)
  assert.equal(own?.metrics['speed']?.median, 100)
  assert.deepEqual(
    report.bars.map(({ measured, met }) => [measured, met]),
    [[100, true]],
  )
})

test('warm-up rounds are run and not counted, and every round begins with another case', async () => {
  const calls: string[] = []
  const note =
    (name: string): Measure =>
    (round) => {
      calls.push(`${name}${round}`)
      return { speed: 1 }
    }
  const report = await run(benchOf({ reference: note('r'), own: note('o') }), 2, 1)
  assert.deepEqual(calls, ['r-1', 'o-1', 'r0', 'o0', 'o1', 'r1'])
  assert.equal(report.rounds, 2)
  assert.deepEqual(inTurn([], 3), [])
})

test('a run that is stopped reports its whole rounds only', async () => {
  const stop = new AbortController()
  const report = await run(
    benchOf({
      reference: () => ({ speed: 2 }),
      own: (round) => {
        if (round === 1) stop.abort()
        return { speed: 4 }
      },
    }),
    5,
    0,
    stop.signal,
  )
  assert.equal(report.rounds, 1)
  assert.deepEqual(
    report.cases.map(({ metrics }) => metrics['speed']?.values),
    [[2], [4]],
  )
})

test('a case that fails because of the stop is no finding, one that fails by itself is', async () => {
  const stop = new AbortController()
  const failing: Measure = (round) => {
    if (round === 0) return { speed: 1 }
    stop.abort()
    throw new Error('its process was interrupted')
  }
  const report = await run(benchOf({ reference: () => ({ speed: 1 }), own: failing }), 3, 0, stop.signal)
  assert.equal(report.rounds, 1)
  let folder = ''
  const broken = benchOf(
    {
      reference: () => {
        throw new Error('a count was wrong')
      },
    },
    (made) => (folder = made),
  )
  await assert.rejects(run(broken, 1), /a count was wrong/)
  assert.equal(existsSync(folder), false, 'its temporary folder is gone')
})

test('a case that measured nothing has no figure and breaks neither table nor plot', async () => {
  const report = await run(benchOf({ reference: () => ({ speed: 1 }), own: () => ({}) }), 1)
  assert.deepEqual(report.bars, [])
  assert.match(renderReport(report), /^own +-$/m)
  assert.match(renderPlot(report), /^<svg /)
})

test('table and plot hold what was measured, and the plot is well-formed', async () => {
  const report = await run(benchOf({ reference: () => ({ speed: 10 }), own: () => ({ speed: 1234 }) }), 2)
  const text = renderReport(report)
  assert.match(text, /^own +1,234 \(±0 %\) +123\.40 \(±0 %\)$/m)
  assert.match(text, /aim met +fast <enough>: at least 25 records\/s, measured 1,234/)
  assert.match(text, /note: said & done/)
  const svg = renderPlot(report)
  assert.doesNotMatch(svg, /NaN|undefined|Infinity/)
  assert.match(svg, /a &lt; b/)
  const open = [...svg.matchAll(/<(\w+)[^>]*[^/]>/g)].map(([, tag]) => tag)
  const closed = [...svg.matchAll(/<\/(\w+)>/g)].map(([, tag]) => tag)
  assert.deepEqual(open.toSorted(), closed.toSorted())
  assert.deepEqual(JSON.parse(JSON.stringify(report)), report, 'a report is JSON')
})

test('a variant has files of its own: the sampled pipeline does not overwrite the one that keeps everything', async () => {
  const report = await run(benchOf({ own: () => ({ speed: 1 }) }), 1)
  assert.equal(reportName(report), 'made-up')
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-report-'))
  try {
    save(report, folder)
    save({ ...report, variant: 'other' }, folder)
    const names = ['made-up-other.json', 'made-up-other.svg', 'made-up.json', 'made-up.svg']
    assert.deepEqual(readdirSync(folder).toSorted(), names)
    assert.match(renderReport({ ...report, variant: 'other' }), /^made-up-other: /)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('median and range', () => {
  assert.deepEqual(summarize([3, 1, 2]), { median: 2, least: 1, most: 3, values: [3, 1, 2] })
  assert.equal(summarize([4, 1]).median, 2.5)
  assert.equal(spread(summarize([90, 100, 120])), 0.3)
  assert.throws(() => summarize([]), /nothing was measured/)
})

test('an option that is unknown, lacks its value or is no number is told by its name', () => {
  const declared = {
    size: { value: 'n', default: '10', quick: '1', text: 'its size' },
    out: { value: 'folder', text: 'where to' },
    quick: { text: 'short' },
  }
  const read = (...words: string[]) => readOptions(declared, words, 'bench made-up')
  assert.equal(read().number('size'), 10)
  assert.equal(read('--quick').number('size'), 1)
  assert.equal(read('--quick', '--size', '7').number('size'), 7)
  assert.deepEqual(read('--size', '1,20').numbers('size'), [1, 20])
  assert.throws(() => read('--sise', '7'), /bench made-up: Unknown option '--sise'/)
  assert.throws(() => read('--size'), /bench made-up: Option '--size <value>' argument missing/)
  assert.throws(() => read('--size', 'many').number('size'), /--size: got "many", expected a number/)
  assert.throws(() => read('--size', '0').number('size', 1), /at least 1/)
  assert.throws(() => read().text('out'), /bench made-up needs --out: where to/)
})
