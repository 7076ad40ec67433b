// What a benchmark is: cases that are measured in turn, and the metrics that each measurement gives.
import type { Kit } from './kit.js'
import type { Declarations, Options } from './options.js'

export interface Metric {
  readonly key: string
  readonly label: string
  readonly unit: string
  readonly better: 'higher' | 'lower' | 'neither'
  /** Digits behind the point; 0 by default. */
  readonly digits?: number
}

/** By the metric's key. A case may leave out what it does not have. */
export type Measurement = Readonly<Record<string, number>>

export interface Case {
  readonly name: string
  /** reference = plain work that says how fast the machine is now; peer = another product at the same work. */
  readonly role: 'measured' | 'reference' | 'peer'
  /** The case, measured in the same round, that this one is divided by. */
  readonly against?: string
  /** One measurement. `round` counts from 0; warm-up rounds are below 0. */
  measure(round: number): Promise<Measurement>
}

/** A curve or a course over time, beside the bars of the cases. */
export interface Curve {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface Plot {
  readonly title: string
  readonly xLabel: string
  readonly yLabel: string
  readonly xScale?: 'linear' | 'log'
  readonly curves: readonly Curve[]
}

/** A stated aim; `metric` of `case` at its median. */
export interface Bar {
  readonly what: string
  readonly case: string
  readonly metric: string
  readonly least?: number
  readonly most?: number
}

export interface Session {
  readonly cases: readonly Case[]
  /** What sets these cases apart from the benchmark without options, such as `sampled`: a result of its own, in a file of its own. */
  readonly variant?: string
  readonly bars?: readonly Bar[]
  /** Said in the report, such as what could not be measured here. May grow while cases are measured. */
  readonly notes?: readonly string[]
  /** After the last round. */
  plots?(): readonly Plot[]
}

export interface Bench {
  readonly name: string
  readonly summary: string
  readonly options: Declarations
  readonly metrics: readonly Metric[]
  /** The metrics that are divided by the reference's, and that `bench:check` compares. */
  readonly ratios: readonly string[]
  readonly rounds: { readonly default: number; readonly quick: number; readonly warmUp: number }
  /** Makes what all rounds share, such as a corpus. */
  open(options: Options, kit: Kit): Promise<Session>
}
