// The report of a run: what was measured, on what, and how it compares with the reference of the same round.
import type { Bar, Bench, Case, Measurement, Metric, Plot } from './bench.js'
import type { Machine } from './machine.js'
import { summarize, type Summary } from './statistics.js'

export const REPORT_VERSION = 1

export interface CaseReport {
  readonly name: string
  readonly role: Case['role']
  readonly against?: string
  readonly metrics: Readonly<Record<string, Summary>>
  /** This case divided by its reference, round by round. */
  readonly ratios: Readonly<Record<string, Summary>>
}

export interface BarReport extends Bar {
  readonly measured: number
  readonly met: boolean
}

export interface Report {
  readonly version: typeof REPORT_VERSION
  readonly bench: string
  readonly variant?: string
  readonly summary: string
  /** ISO 8601. */
  readonly at: string
  readonly machine: Machine
  readonly options: Readonly<Record<string, string | boolean>>
  readonly rounds: number
  readonly metrics: readonly Metric[]
  readonly cases: readonly CaseReport[]
  readonly bars: readonly BarReport[]
  readonly notes: readonly string[]
  readonly plots: readonly Plot[]
}

/** By case, one measurement a round. */
export type Rounds = ReadonlyMap<string, readonly Measurement[]>

export interface ReportParts {
  readonly bench: Pick<Bench, 'name' | 'summary' | 'metrics' | 'ratios'>
  readonly variant?: string | undefined
  readonly cases: readonly Pick<Case, 'name' | 'role' | 'against'>[]
  readonly measured: Rounds
  readonly bars: readonly Bar[]
  readonly notes: readonly string[]
  readonly plots: readonly Plot[]
  readonly machine: Machine
  readonly options: Report['options']
  readonly at: string
}

export function buildReport(parts: ReportParts): Report {
  const { bench, measured, machine, options, at, notes, plots } = parts
  const cases = parts.cases.map((each) => reportCase(each, parts))
  return {
    version: REPORT_VERSION,
    bench: bench.name,
    ...(parts.variant === undefined ? {} : { variant: parts.variant }),
    summary: bench.summary,
    at,
    machine,
    options,
    rounds: Math.max(0, ...[...measured.values()].map((rounds) => rounds.length)),
    metrics: bench.metrics,
    cases,
    bars: parts.bars.flatMap((bar) => reportBar(bar, cases)),
    notes,
    plots,
  }
}

/** `pipeline`, `pipeline-sampled`: what its files are called. */
export function reportName({ bench, variant }: Pick<Report, 'bench' | 'variant'>): string {
  return variant === undefined ? bench : `${bench}-${variant}`
}

function reportCase({ name, role, against }: ReportParts['cases'][number], parts: ReportParts): CaseReport {
  const own = parts.measured.get(name) ?? []
  const reference = against === undefined ? [] : (parts.measured.get(against) ?? [])
  const metrics: Record<string, Summary> = {}
  for (const { key } of parts.bench.metrics) {
    const values = own.flatMap((each) => (each[key] === undefined ? [] : [each[key]]))
    if (values.length > 0) metrics[key] = summarize(values)
  }
  const ratios: Record<string, Summary> = {}
  for (const key of parts.bench.ratios) {
    const values = own.flatMap((each, round) => {
      const [value, base] = [each[key], reference[round]?.[key]]
      return value === undefined || base === undefined || base === 0 ? [] : [value / base]
    })
    if (values.length > 0) ratios[key] = summarize(values)
  }
  return { name, role, ...(against === undefined ? {} : { against }), metrics, ratios }
}

function reportBar(bar: Bar, cases: readonly CaseReport[]): BarReport[] {
  const measured = cases.find(({ name }) => name === bar.case)?.metrics[bar.metric]?.median
  if (measured === undefined) return []
  const met = measured >= (bar.least ?? -Infinity) && measured <= (bar.most ?? Infinity)
  return [{ ...bar, measured, met }]
}
