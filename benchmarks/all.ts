// `npm run bench:all`: every benchmark in turn within a stated time, all results written, and the README's figures from them.
import { existsSync } from 'node:fs'
import { type Declarations, optionLines, type Options, readOptions } from './harness/options.js'
import { format } from './harness/runner.js'
import { aligned, renderReport } from './harness/table.js'
import { measure, save, wordsOf } from './measure.js'
import { demandMarkers, updateNumbers } from './numbers.js'
import { demandWritable, openFolder } from './output.js'
import { loadBench } from './registry.js'
import { MillraceError, saidOf } from '../protocol/errors.js'

export const ALL_SUMMARY = 'every benchmark in turn; write all results and the figures of the README'

export interface Step {
  readonly words: readonly [name: string, ...options: string[]]
  /** What it takes on two quiet cores; one that no longer fits is left out. */
  readonly seconds: number
}

/** The dear questions first: what the time does not suffice for is what is asked least. */
export const STEPS: readonly Step[] = [
  { words: ['pipeline'], seconds: 75 },
  { words: ['pipeline', '--sampled'], seconds: 60 },
  { words: ['peers', '--records', '300000'], seconds: 120 },
  { words: ['latency', '--seconds', '8', '--rounds', '2'], seconds: 90 },
  { words: ['idle', '--rounds', '1', '--seconds', '60'], seconds: 210 },
  { words: ['kernel'], seconds: 30 },
  { words: ['reload'], seconds: 60 },
  { words: ['overload', '--seconds', '15'], seconds: 80 },
  { words: ['soak', '--for', '4m'], seconds: 260 },
  { words: ['pipeline', '--buffer', 'jetstream', '--records', '300000'], seconds: 60 },
  { words: ['reload-nats'], seconds: 30 },
  { words: ['fleet'], seconds: 90 },
  { words: ['scaling', '--records', '100000', '--rounds', '1'], seconds: 100 },
  { words: ['serialization', '--rounds', '3'], seconds: 60 },
  { words: ['reuse', '--rounds', '3'], seconds: 30 },
  { words: ['journal', '--rounds', '3'], seconds: 30 },
  { words: ['writers', '--rounds', '3'], seconds: 30 },
  { words: ['sampling', '--rounds', '5'], seconds: 40 },
  { words: ['fields', '--rounds', '3'], seconds: 20 },
]

/** The default of `--minutes`: all of the steps fit into it on two quiet cores. */
export const MINUTES = 25

const OPTIONS: Declarations = {
  out: { value: 'folder', default: 'benchmarks/results', text: 'where the results go' },
  readme: {
    value: 'file',
    default: 'README.md',
    text: 'whose figures, between their markers, are rewritten',
  },
  minutes: {
    value: 'n',
    default: `${MINUTES}`,
    text: 'what does not fit into so many is left out, and said',
  },
  only: { value: 'names', text: 'these alone, such as pipeline,idle' },
  quick: { text: 'small and short, each: shows that all of it works, not how fast' },
  help: { text: 'show this' },
}

type Outcome = 'written' | 'failed' | 'left out'

/** Exits 1 when one failed. Throws `usage.*`. */
export async function allCommand(words: readonly string[], stop?: AbortSignal): Promise<0 | 1> {
  const options = readOptions(OPTIONS, words, 'bench all')
  if (options.has('help')) {
    process.stdout.write(`Usage: millrace bench all [options]\n\n${optionLines(OPTIONS).join('\n')}\n`)
    return 0
  }
  const endMs = performance.now() + options.number('minutes', 0) * 60_000
  const steps = stepsOf(options)
  const readme = readmeOf(options)
  openFolder('--out', options.text('out'))
  const rows: [step: string, outcome: Outcome, seconds: string][] = []
  for (const step of steps) {
    const fromMs = performance.now()
    const outcome = await runStep(step, options, endMs, stop)
    rows.push([step.words.join(' '), outcome, format((performance.now() - fromMs) / 1000)])
  }
  if (readme !== undefined) updateNumbers(readme, options.text('out'))
  process.stdout.write(`${aligned([['', '', 'seconds'], ...rows], 2).join('\n')}\n`)
  return rows.some(([, outcome]) => outcome === 'failed') ? 1 : 0
}

function stepsOf(options: Options): readonly Step[] {
  if (!options.has('only')) return STEPS
  const names = options.text('only').split(',')
  const known = [...new Set(STEPS.map(({ words: [name] }) => name))]
  const unknown = names.find((name) => !known.includes(name))
  if (unknown === undefined) return STEPS.filter(({ words: [name] }) => names.includes(name))
  throw new MillraceError('usage.bench', `--only: there is no "${unknown}"; there are ${known.join(', ')}`)
}

/** One that was not named need not be there. Throws `usage.*` where the figures would find no place. */
function readmeOf(options: Options): string | undefined {
  const readme = options.text('readme')
  if (!existsSync(readme) && readme === OPTIONS['readme']?.default) return undefined
  demandMarkers(readme)
  demandWritable('--readme', readme)
  return readme
}

/** At the end of its time a step ends with the rounds it has; one without a whole round leaves the results as they were. */
async function runStep(
  { words: [name, ...words], seconds }: Step,
  options: Options,
  endMs: number,
  stop: AbortSignal | undefined,
): Promise<Outcome> {
  const leftMs = endMs - performance.now()
  const quick = options.has('quick')
  if (stop?.aborted === true || leftMs < (quick ? 0 : seconds * 1000)) return 'left out'
  const say = (line: string): void => void process.stderr.write(`${name}: ${line}\n`)
  const ending = AbortSignal.any([
    AbortSignal.timeout(Math.max(1, Math.floor(leftMs))),
    ...(stop === undefined ? [] : [stop]),
  ])
  try {
    const bench = await loadBench(name, 'bench all')
    const report = await measure(bench, wordsOf(bench, quick ? quickWords(words) : words), say, ending)
    if (report.rounds === 0) return 'left out'
    process.stdout.write(`${renderReport(report)}\n\n`)
    save(report, options.text('out'))
    return 'written'
  } catch (error) {
    // One that cannot run here, for want of a server perhaps, must not cost the others their figures.
    say(`failed: ${saidOf(error)}`)
    return 'failed'
  }
}

/** Which variant stays, how long it takes does not. */
function quickWords(words: readonly string[]): string[] {
  const kept = words.flatMap((word, n) => (word === '--buffer' ? [word, words[n + 1] ?? ''] : []))
  return [...kept, ...words.filter((word) => word === '--sampled'), '--quick']
}
