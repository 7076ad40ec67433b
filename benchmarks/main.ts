// The benchmarks' command line, for `npm run bench -- …` and `millrace bench …` alike: a benchmark, `generate`, `check`, or the list.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MillraceError } from '../protocol/errors.js'
import { checkCommand, CHECK_SUMMARY } from './check.js'
import { GENERATE_SUMMARY, generateCommand } from './generate/command.js'
import type { Bench } from './harness/bench.js'
import { type Declarations, optionLines, readOptions } from './harness/options.js'
import { renderPlot } from './harness/plot.js'
import type { Report } from './harness/report.js'
import { runBench } from './harness/runner.js'
import { renderReport } from './harness/table.js'
import { BENCHES } from './registry.js'

const SHARED: Declarations = {
  rounds: { value: 'n', text: 'rounds in which every case is measured once' },
  'warm-up': { value: 'n', text: 'rounds before that are not counted' },
  quick: { text: 'small and short: shows that it works, not how fast' },
  out: { value: 'folder', text: 'write NAME.json and NAME.svg there' },
  json: { text: 'print the report as JSON' },
  help: { text: 'show this' },
}

/** `stop` ends a run at the end of its present measurement. Resolves to the exit code. Throws `usage.*`. */
export async function benchMain(words: readonly string[], stop?: AbortSignal): Promise<0 | 1> {
  const [name, ...rest] = words
  if (name === undefined || name === '--help' || name === '-h') return print(await listText())
  if (name === 'generate') return generateCommand(rest, stop)
  if (name === 'check') return checkCommand(rest, stop)
  const load = BENCHES[name]
  if (load === undefined)
    throw new MillraceError(
      'usage.bench',
      `bench: there is no "${name}"; there are ${Object.keys(BENCHES).join(', ')}, generate and check`,
    )
  return runOne(await load(), rest, stop)
}

async function runOne(bench: Bench, words: readonly string[], stop?: AbortSignal): Promise<0 | 1> {
  const declared = { ...bench.options, ...SHARED }
  const options = readOptions(declared, words, `bench ${bench.name}`)
  if (options.has('help')) return print(helpText(bench, declared))
  const { rounds } = bench
  const asJson = options.has('json')
  const report = await runBench(bench, {
    options: readOptions(
      { ...bench.options, quick: SHARED['quick'] ?? { text: '' } },
      ownWords(bench, options.all()),
      `bench ${bench.name}`,
    ),
    rounds: options.has('rounds')
      ? options.number('rounds', 1)
      : options.has('quick')
        ? rounds.quick
        : rounds.default,
    warmUp: options.has('warm-up') ? options.number('warm-up') : rounds.warmUp,
    say: (line) => void process.stderr.write(`${line}\n`),
    ...(stop === undefined ? {} : { stop }),
  })
  if (options.has('out')) save(report, options.text('out'))
  return print(asJson ? JSON.stringify(report) : renderReport(report))
}

/** The benchmark's own options again, without the runner's: they are what the report names. */
function ownWords(bench: Bench, all: Readonly<Record<string, string | boolean>>): string[] {
  return Object.entries(all).flatMap(([name, value]) => {
    if (!(name in bench.options) && name !== 'quick') return []
    return value === true ? [`--${name}`] : [`--${name}=${String(value)}`]
  })
}

export function save(report: Report, folder: string): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${report.bench}.json`), `${JSON.stringify(report, undefined, 2)}\n`)
  writeFileSync(join(folder, `${report.bench}.svg`), renderPlot(report))
}

async function listText(): Promise<string> {
  const benches = await Promise.all(Object.values(BENCHES).map((load) => load()))
  const rows = [
    ...benches.map(({ name, summary }) => [name, summary] as const),
    ['generate', GENERATE_SUMMARY] as const,
    ['check', CHECK_SUMMARY] as const,
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return [
    'Usage: millrace bench NAME [options]',
    '',
    'Measures this machine. Each has its own options: millrace bench NAME --help',
    '',
    ...rows.map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`),
  ].join('\n')
}

function helpText({ name, summary }: Bench, declared: Declarations): string {
  return [`Usage: millrace bench ${name} [options]`, '', summary, '', ...optionLines(declared)].join('\n')
}

function print(text: string): 0 {
  process.stdout.write(`${text}\n`)
  return 0
}
