// Runs a benchmark: warm-up, then rounds in which every case has its turn, so that a slow minute of the machine meets all of them.
import type { Bench, Case, Measurement } from './bench.js'
import { createKit } from './kit.js'
import { describeMachine } from './machine.js'
import type { Options } from './options.js'
import { buildReport, type Report } from './report.js'
import { scratchNotes } from './scratch.js'

export interface RunOptions {
  readonly options: Options
  readonly rounds: number
  readonly warmUp: number
  /** Progress, a line each. */
  say(line: string): void
  /** After it the running case is the last one: the report then holds the rounds that are complete. */
  readonly stop?: AbortSignal
}

/** Rejects with what a case threw: a wrong count, a process that ended. */
export async function runBench(
  bench: Bench,
  { options, rounds, warmUp, say, stop }: RunOptions,
): Promise<Report> {
  const machine = describeMachine()
  const at = new Date().toISOString()
  const stopping = stop ?? new AbortController().signal
  const kit = createKit(say, stopping)
  try {
    const session = await bench.open(options, kit)
    const measured = await measureRounds(bench, session.cases, { rounds, warmUp, say, stop: stopping })
    return buildReport({
      bench,
      variant: session.variant,
      cases: session.cases,
      measured: completeRounds(measured),
      bars: session.bars ?? [],
      notes: [...(session.notes ?? []), ...scratchNotes(kit.scratch.folder)],
      plots: session.plots?.() ?? [],
      machine,
      options: options.all(),
      at,
    })
  } finally {
    await kit.close()
  }
}

async function measureRounds(
  bench: Bench,
  cases: readonly Case[],
  { rounds, warmUp, say, stop }: Required<Omit<RunOptions, 'options'>>,
): Promise<Map<string, Measurement[]>> {
  const measured = new Map<string, Measurement[]>(cases.map(({ name }) => [name, []]))
  for (let round = -warmUp; round < rounds; round++) {
    const label = round < 0 ? 'warm-up' : `round ${round + 1} of ${rounds}`
    for (const each of inTurn(cases, Math.max(0, round))) {
      if (stop.aborted) return measured
      const measurement = await measureOne(each, round, stop)
      if (measurement === undefined) return measured
      say(`${label}: ${each.name}: ${brief(bench, measurement)}`)
      if (round >= 0) measured.get(each.name)?.push(measurement)
    }
  }
  return measured
}

/** Ctrl-C reaches the measured processes too, and what they then fail with is no finding: undefined. */
async function measureOne(each: Case, round: number, stop: AbortSignal): Promise<Measurement | undefined> {
  try {
    return await each.measure(round)
  } catch (error) {
    if (stop.aborted) return undefined
    throw error
  }
}

/** Each round begins with another case: none always runs on what the one before it left behind. */
export function inTurn(cases: readonly Case[], round: number): readonly Case[] {
  const from = cases.length === 0 ? 0 : round % cases.length
  return [...cases.slice(from), ...cases.slice(0, from)]
}

/** A stopped run may have measured some cases once more than others: rounds are compared, so only whole ones count. */
function completeRounds(
  measured: ReadonlyMap<string, readonly Measurement[]>,
): Map<string, readonly Measurement[]> {
  const complete = Math.min(...[...measured.values()].map((values) => values.length))
  return new Map([...measured].map(([name, values]) => [name, values.slice(0, complete)]))
}

function brief({ metrics }: Bench, measurement: Measurement): string {
  return metrics
    .filter(({ key }) => measurement[key] !== undefined)
    .slice(0, 4)
    .map(({ key, unit, digits = 0 }) => `${format(measurement[key] as number, digits)} ${unit}`)
    .join(', ')
}

export function format(value: number, digits = 0): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
