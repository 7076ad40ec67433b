// Latencies in a histogram of three digits, as percentiles and as a curve.
import hdr from 'hdr-histogram-js'
import type { Curve } from './bench.js'

export interface Latencies {
  addMillis(latency: number): void
  /** ms; `percent` of 0 to 100. */
  at(percent: number): number
  mostMillis(): number
  count(): number
  /** Over 1 / (1 − share): each step to the right is a tenth of the records. */
  curve(name: string): Curve
}

const MICROS = 1000
/** An hour: what takes longer is counted as that. */
const MOST_MICROS = 3_600_000_000
const CURVE_PERCENTS = [0, 50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.99]

export function createLatencies(): Latencies {
  const histogram = hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: MOST_MICROS,
    numberOfSignificantValueDigits: 3,
  })
  const at = (percent: number): number => histogram.getValueAtPercentile(percent) / MICROS
  return {
    addMillis: (latency) =>
      histogram.recordValue(Math.min(MOST_MICROS, Math.max(1, Math.round(latency * MICROS)))),
    at,
    mostMillis: () => histogram.maxValue / MICROS,
    count: () => histogram.totalCount,
    curve: (name) => ({
      name,
      points: CURVE_PERCENTS.map((percent) => [1 / (1 - percent / 100), at(percent)] as const),
    }),
  }
}
