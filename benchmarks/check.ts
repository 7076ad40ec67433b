// `npm run bench:check`: short runs, compared by their ratios with the committed ones; says what got worse, and never fails on noise.
import { fileURLToPath } from 'node:url'
import { type BaselineFile, readBaselines, writeBaselines } from './baselines.js'
import type { Bench } from './harness/bench.js'
import { type Baseline, baselineOf, compare, type Comparison } from './harness/compare.js'
import { describeMachine, type Machine, machineText } from './harness/machine.js'
import { type Declarations, optionLines, readOptions } from './harness/options.js'
import { runBench } from './harness/runner.js'
import { aligned } from './harness/table.js'
import { demandWritable } from './output.js'
import { loadBench } from './registry.js'

export const CHECK_SUMMARY = 'short runs; compare their ratios with the committed ones'

/** Those that are short and compare with a reference. */
const CHECKED = 'kernel,serialization,reuse,journal,writers,pipeline'
const RESULTS = fileURLToPath(new URL('../../benchmarks/results/check.json', import.meta.url))

const CHECK_OPTIONS: Declarations = {
  only: { value: 'names', default: CHECKED, text: 'the benchmarks to run' },
  rounds: { value: 'n', default: '3', text: 'rounds of each' },
  file: { value: 'file', text: 'the committed ratios (default benchmarks/results/check.json)' },
  update: { text: 'write the ratios of this run into the file instead of comparing' },
  strict: { text: 'exit 1 when something is worse' },
  json: { text: 'print the comparison as JSON' },
  help: { text: 'show this' },
}

/** Exits 1 only with --strict. Throws `usage.*`. */
export async function checkCommand(words: readonly string[], stop?: AbortSignal): Promise<0 | 1> {
  const options = readOptions(CHECK_OPTIONS, words, 'bench check')
  if (options.has('help')) {
    process.stdout.write(
      `Usage: millrace bench check [options]\n\n${optionLines(CHECK_OPTIONS).join('\n')}\n`,
    )
    return 0
  }
  const file = options.has('file') ? options.text('file') : RESULTS
  const benches = await Promise.all(
    options
      .text('only')
      .split(',')
      .map((name) => loadBench(name, '--only')),
  )
  const rounds = options.count('rounds', 1)
  if (options.has('update')) demandWritable('--file', file)
  const committed = options.has('update') ? undefined : readBaselines(file)
  const machine = describeMachine()
  const measured: { bench: Bench; baseline: Baseline }[] = []
  for (const bench of benches) {
    if (stop?.aborted === true) break
    measured.push({ bench, baseline: await quickRun(bench, rounds, stop) })
  }
  if (committed === undefined) {
    const baselines = measured.map(({ baseline }) => baseline)
    writeBaselines(file, { at: new Date().toISOString(), machine, benches: baselines })
    process.stdout.write(`${file}: ratios of ${baselines.map(({ bench }) => bench).join(', ')}\n`)
    return 0
  }
  const comparisons = measured.flatMap(({ bench, baseline }) => {
    const before = committed.benches.find((each) => each.bench === bench.name)
    return compare(before ?? { bench: bench.name, ratios: {} }, baseline, bench.metrics)
  })
  process.stdout.write(
    options.has('json')
      ? `${JSON.stringify(comparisons)}\n`
      : `${comparisonText(comparisons, committed, machine)}\n`,
  )
  return options.has('strict') && comparisons.some(({ verdict }) => verdict === 'worse') ? 1 : 0
}

async function quickRun(bench: Bench, rounds: number, stop: AbortSignal | undefined): Promise<Baseline> {
  const report = await runBench(bench, {
    options: readOptions({ ...bench.options, quick: { text: '' } }, ['--quick'], `bench ${bench.name}`),
    rounds,
    warmUp: bench.rounds.warmUp,
    say: (line) => void process.stderr.write(`${bench.name}: ${line}\n`),
    ...(stop === undefined ? {} : { stop }),
  })
  return baselineOf(report)
}

export function comparisonText(
  comparisons: readonly Comparison[],
  committed: Pick<BaselineFile, 'at' | 'machine'>,
  machine: Machine,
): string {
  const percent = (share: number | undefined): string =>
    share === undefined ? '-' : `${share > 0 ? '+' : ''}${Math.round(share * 100)} %`
  const rows = comparisons.map(({ verdict, bench, case: name, metric, before, now, gain, noise }) => [
    verdict,
    `${bench}: ${name}`,
    metric,
    before?.toFixed(2) ?? '-',
    now?.toFixed(2) ?? '-',
    percent(gain),
    noise === undefined ? '-' : `±${Math.round(noise * 100)} %`,
  ])
  const count = (verdict: string): number => comparisons.filter((each) => each.verdict === verdict).length
  return [
    `committed ${committed.at.slice(0, 10)}: ${machineText(committed.machine)}`,
    `now: ${machineText(machine)}`,
    '',
    ...aligned([['', 'case', 'ratio of', 'then', 'now', 'gain', 'noise'], ...rows], 3),
    '',
    `${count('worse')} worse, ${count('better')} better, ${count('same')} within the noise, ${count('new')} new, ${count('gone')} gone`,
  ].join('\n')
}
