// Scales of a plot: where a value lies, and round figures for the axis.

export interface Scale {
  /** 0 at the axis' begin, 1 at its end. */
  at(value: number): number
  readonly ticks: readonly number[]
}

/** From 0 (or the least, if that is below) to a round figure over the most. */
export function linearScale(values: readonly number[]): Scale {
  const most = Math.max(0, ...values)
  const least = Math.min(0, ...values)
  const step = roundStep((most - least) / 5 || 1)
  const first = Math.floor(least / step)
  const last = Math.max(first + 1, Math.ceil(most / step))
  const ticks = Array.from({ length: last - first + 1 }, (_, n) => (first + n) * step)
  return { at: (value) => (value - first * step) / ((last - first) * step), ticks }
}

/** Whole powers of ten around all values over 0. */
export function logScale(values: readonly number[]): Scale {
  const positive = values.filter((value) => value > 0)
  const first = Math.floor(Math.log10(Math.min(...positive, Number.MAX_VALUE)))
  const from = Number.isFinite(first) && positive.length > 0 ? first : 0
  const to = positive.length > 0 ? Math.max(from + 1, Math.ceil(Math.log10(Math.max(...positive)))) : 1
  const ticks = Array.from({ length: to - from + 1 }, (_, n) => 10 ** (from + n))
  return { at: (value) => (value > 0 ? (Math.log10(value) - from) / (to - from) : 0), ticks }
}

/** 1, 2 or 5 times a power of ten. */
function roundStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough))
  const factor = [1, 2, 5, 10].find((each) => each * power >= rough) ?? 10
  return factor * power
}

const PREFIXES: readonly (readonly [number, string])[] = [
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
]

export function tickText(value: number): string {
  const [unit, letter] = PREFIXES.find(([least]) => Math.abs(value) >= least) ?? [1, '']
  return `${Number((value / unit).toPrecision(3))}${letter}`
}
