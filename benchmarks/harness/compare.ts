// Whether a run is worse than an earlier one by more than both scatter: ratios only, since absolute figures are the machine's.
import type { Metric } from './bench.js'
import type { Report } from './report.js'
import { spread, type Summary } from './statistics.js'

export type Verdict = 'worse' | 'better' | 'same' | 'new' | 'gone'

export interface Comparison {
  readonly bench: string
  readonly case: string
  readonly metric: string
  readonly verdict: Verdict
  /** Ratios to the reference of the same run. */
  readonly before?: number
  readonly now?: number
  /** By how much now differs from before, as a share; over 0 is better. */
  readonly gain?: number
  /** Up to where a difference is taken for chance. */
  readonly noise?: number
}

/** Ratios of short runs differ by so much even where all rounds happened to agree. */
export const NOISE_LEAST = 0.1

/** What `bench:check` keeps of a report. */
export interface Baseline {
  readonly bench: string
  readonly ratios: Readonly<
    Record<string, Readonly<Record<string, Pick<Summary, 'median' | 'least' | 'most'>>>>
  >
}

export function baselineOf({ bench, cases }: Report): Baseline {
  const withRatios = cases.filter(({ ratios }) => Object.keys(ratios).length > 0)
  const ratios = withRatios.map(({ name, ratios: all }) => [
    name,
    Object.fromEntries(
      Object.entries(all).map(([key, { median, least, most }]) => [key, { median, least, most }]),
    ),
  ])
  return { bench, ratios: Object.fromEntries(ratios) as Baseline['ratios'] }
}

export function compare(before: Baseline, now: Baseline, metrics: readonly Metric[]): Comparison[] {
  const names = [...new Set([...Object.keys(before.ratios), ...Object.keys(now.ratios)])]
  return names.flatMap((name) => {
    const [old, fresh] = [before.ratios[name] ?? {}, now.ratios[name] ?? {}]
    const keys = [...new Set([...Object.keys(old), ...Object.keys(fresh)])]
    return keys.map((key) => {
      const better = metrics.find((metric) => metric.key === key)?.better ?? 'higher'
      return { bench: now.bench, case: name, metric: key, ...judge(old[key], fresh[key], better) }
    })
  })
}

type Ratio = Pick<Summary, 'median' | 'least' | 'most'>

/** A change counts when it is over half of both ranges together, and over the least noise. */
export function judge(
  before: Ratio | undefined,
  now: Ratio | undefined,
  better: Metric['better'],
): Pick<Comparison, 'verdict' | 'before' | 'now' | 'gain' | 'noise'> {
  if (before === undefined) return { verdict: 'new', ...(now === undefined ? {} : { now: now.median }) }
  if (now === undefined) return { verdict: 'gone', before: before.median }
  const noise = Math.max(NOISE_LEAST, (spreadOf(before) + spreadOf(now)) / 2)
  const change = better === 'lower' ? before.median / now.median : now.median / before.median
  const gain = change - 1
  const moved = change < 1 ? 1 / change - 1 > noise : gain > noise
  const verdict = better === 'neither' || !moved ? 'same' : gain < 0 ? 'worse' : 'better'
  return { verdict, before: before.median, now: now.median, gain, noise }
}

function spreadOf(ratio: Ratio): number {
  return spread({ ...ratio, values: [] })
}
