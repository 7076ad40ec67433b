// Runs a benchmark: warm-up, then rounds in which every case has its turn, so that a slow minute of the machine meets all of them.
import type { Bench, Case, Measurement } from './bench.js'
import { describeMachine } from './machine.js'
import type { Options } from './options.js'
import { buildReport, type Report } from './report.js'

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
export async function runBench(bench: Bench, { options, rounds, warmUp, say, stop }: RunOptions): Promise<Report> {
  const machine = describeMachine()
  const at = new Date().toISOString()
  const session = await bench.open(options, say)
  try {
    const measured = new Map<string, Measurement[]>(session.cases.map(({ name }) => [name, []]))
    const stopped = (): boolean => stop?.aborted === true
    for (let round = -warmUp; round < rounds && !stopped(); round++) {
      const label = round < 0 ? 'warm-up' : `round ${round + 1} of ${rounds}`
      for (const each of inTurn(session.cases, Math.max(0, round))) {
        if (stopped()) break
        const measurement = await each.measure(round)
        say(`${label}: ${each.name}: ${brief(bench, measurement)}`)
        if (round >= 0) measured.get(each.name)?.push(measurement)
      }
    }
    return buildReport({
      bench,
      cases: session.cases,
      measured: completeRounds(measured),
      bars: session.bars ?? [],
      notes: session.notes ?? [],
      plots: session.plots?.() ?? [],
      machine,
      options: options.all(),
      at,
    })
  } finally {
    await session.close()
  }
}

/** Each round begins with another case: none always runs on what the one before it left behind. */
export function inTurn(cases: readonly Case[], round: number): readonly Case[] {
  const from = cases.length === 0 ? 0 : round % cases.length
  return [...cases.slice(from), ...cases.slice(0, from)]
}

/** A stopped run may have measured some cases once more than others: rounds are compared, so only whole ones count. */
function completeRounds(measured: ReadonlyMap<string, readonly Measurement[]>): Map<string, readonly Measurement[]> {
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
