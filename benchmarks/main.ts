// The benchmarks' command line, for `npm run bench -- …` and `millrace bench …` alike: a benchmark, `generate`, `check`, `all`, or the list.
import { ALL_SUMMARY, allCommand } from './all.js'
import { checkCommand, CHECK_SUMMARY } from './check.js'
import { GENERATE_SUMMARY, generateCommand } from './generate/command.js'
import type { Bench } from './harness/bench.js'
import { optionLines } from './harness/options.js'
import { renderReport } from './harness/table.js'
import { measure, save, SHARED, wordsOf } from './measure.js'
import { openFolder } from './output.js'
import { BENCHES, loadBench } from './registry.js'

/** `stop` ends a run at the end of its present measurement. Resolves to the exit code. Throws `usage.*`. */
export async function benchMain(words: readonly string[], stop?: AbortSignal): Promise<0 | 1> {
  const [name, ...rest] = words
  if (name === undefined || name === '--help' || name === '-h') return print(await listText())
  if (name === 'generate') return generateCommand(rest, stop)
  if (name === 'check') return checkCommand(rest, stop)
  if (name === 'all') return allCommand(rest, stop)
  return runOne(await loadBench(name, 'bench', ['generate', 'check', 'all']), rest, stop)
}

async function runOne(bench: Bench, words: readonly string[], stop?: AbortSignal): Promise<0 | 1> {
  const options = wordsOf(bench, words)
  if (options.has('help')) return print(helpText(bench))
  if (options.has('out')) openFolder('--out', options.text('out'))
  const report = await measure(bench, options, (line) => void process.stderr.write(`${line}\n`), stop)
  print(options.has('json') ? JSON.stringify(report) : renderReport(report))
  if (options.has('out')) save(report, options.text('out'))
  return 0
}

async function listText(): Promise<string> {
  const benches = await Promise.all(Object.values(BENCHES).map((load) => load()))
  const rows = [
    ...benches.map(({ name, summary }) => [name, summary] as const),
    ['generate', GENERATE_SUMMARY] as const,
    ['check', CHECK_SUMMARY] as const,
    ['all', ALL_SUMMARY] as const,
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

function helpText({ name, summary, options }: Bench): string {
  const lines = optionLines({ ...options, ...SHARED })
  return [`Usage: millrace bench ${name} [options]`, '', summary, '', ...lines].join('\n')
}

function print(text: string): 0 {
  process.stdout.write(`${text}\n`)
  return 0
}
