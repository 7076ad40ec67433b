// One benchmark with its words from the command line: its options and those of the runner, the run, and its files.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bench } from './harness/bench.js'
import { type Declarations, type Options, readOptions } from './harness/options.js'
import { renderPlot } from './harness/plot.js'
import { type Report, reportName } from './harness/report.js'
import { runBench } from './harness/runner.js'
import { cannotSave, openFolder } from './output.js'

export const SHARED: Declarations = {
  rounds: { value: 'n', text: 'rounds in which every case is measured once' },
  'warm-up': { value: 'n', text: 'rounds before that are not counted' },
  quick: { text: 'small and short: shows that it works, not how fast' },
  out: { value: 'folder', text: 'write NAME.json and NAME.svg there' },
  json: { text: 'print the report as JSON' },
  help: { text: 'show this' },
}

/** Throws `usage.*`. */
export function wordsOf(bench: Bench, words: readonly string[]): Options {
  return readOptions({ ...bench.options, ...SHARED }, words, `bench ${bench.name}`)
}

/** Rejects with what a case threw. `say` gets a line for each measurement. */
export async function measure(
  bench: Bench,
  options: Options,
  say: (line: string) => void,
  stop?: AbortSignal,
): Promise<Report> {
  const { rounds } = bench
  return runBench(bench, {
    options: readOptions(
      { ...bench.options, quick: SHARED['quick'] ?? { text: '' } },
      ownWords(bench, options.all()),
      `bench ${bench.name}`,
    ),
    rounds: options.has('rounds')
      ? options.count('rounds', 1)
      : options.has('quick')
        ? rounds.quick
        : rounds.default,
    warmUp: options.has('warm-up') ? options.count('warm-up') : rounds.warmUp,
    say,
    ...(stop === undefined ? {} : { stop }),
  })
}

/** The benchmark's own options again, without the runner's: they are what the report names. */
function ownWords(bench: Bench, all: Readonly<Record<string, string | boolean>>): string[] {
  return Object.entries(all).flatMap(([name, value]) => {
    if (!(name in bench.options) && name !== 'quick') return []
    return value === true ? [`--${name}`] : [`--${name}=${String(value)}`]
  })
}

/** NAME.json and NAME.svg; a variant has files of its own. Throws `usage.write`. */
export function save(report: Report, folder: string): void {
  openFolder('--out', folder)
  const file = join(folder, reportName(report))
  try {
    writeFileSync(`${file}.json`, `${JSON.stringify(report, undefined, 2)}\n`)
    writeFileSync(`${file}.svg`, renderPlot(report))
  } catch (cause) {
    throw cannotSave('--out', file, cause)
  }
}
