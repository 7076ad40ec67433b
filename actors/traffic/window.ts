// The metrics of one service over a sliding window of one-second steps: error rate, and latency quantiles from a mergeable sketch.
import { createSketch, fromPairs, type Sketch } from '../../protocol/sampling/sketch.js'
import type { ServiceCounts, WindowFigures } from '../../protocol/traffic.js'

export interface Window {
  /** One more step with what was counted in it. */
  add(counts: readonly ServiceCounts[]): void
  figures(recordsMin: number): WindowFigures
}

interface Step {
  readonly seen: number
  readonly errors: number
  readonly latency: Sketch | undefined
}

const NOTHING: Step = { seen: 0, errors: 0, latency: undefined }

export function createWindow(steps: number): Window {
  const ring: Step[] = []
  let seen = 0
  let errors = 0
  /** Made with the first latency: most services never log one. */
  let latency: Sketch | undefined
  function enter(step: Step): void {
    ring.push(step)
    seen += step.seen
    errors += step.errors
    if (step.latency !== undefined) (latency ??= createSketch()).merge(step.latency)
  }
  function leave(step: Step | undefined): void {
    if (step === undefined) return
    seen -= step.seen
    errors -= step.errors
    if (step.latency !== undefined) latency?.subtract(step.latency)
    if (latency?.count() === 0) latency = undefined
  }
  return {
    add(counts) {
      enter(counts.length === 0 ? NOTHING : stepOf(counts))
      while (ring.length > steps) leave(ring.shift())
    },
    figures(recordsMin) {
      const known = latency !== undefined && latency.count() >= recordsMin ? latency : undefined
      return {
        ...(seen >= recordsMin ? { errorRate: errors / seen } : {}),
        ...quantile(known, 'p50Ms', 0.5),
        ...quantile(known, 'p90Ms', 0.9),
        ...quantile(known, 'p99Ms', 0.99),
      }
    },
  }
}

function stepOf(counts: readonly ServiceCounts[]): Step {
  const sum = (key: 'seen' | 'errors') => counts.reduce((total, at) => total + at[key], 0)
  const sketches = counts.flatMap(({ latency = [] }) => (latency.length === 0 ? [] : [fromPairs(latency)]))
  const [latency, ...others] = sketches
  for (const other of others) latency?.merge(other)
  return { seen: sum('seen'), errors: sum('errors'), latency }
}

function quantile(sketch: Sketch | undefined, name: keyof WindowFigures, q: number): WindowFigures {
  const value = sketch?.quantile(q)
  return value === undefined ? {} : { [name]: value }
}
