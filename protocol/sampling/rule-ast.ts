// The parts of a rule's condition: what it may ask about, with which comparisons, and the tree that a text becomes.

/** `ratio` is 0 … 1, `duration` is in ms, `status` a whole number 0 … 999, the others are names. */
export type MetricKind = 'ratio' | 'duration' | 'status' | 'text' | 'level' | 'log_type'
/** How long a value stays the same: a window's for a step, a stream's for ever, a record's not at all. */
export type MetricScope = 'window' | 'stream' | 'record'

export const METRICS = {
  error_rate: { kind: 'ratio', scope: 'window' },
  p50_latency: { kind: 'duration', scope: 'window' },
  p90_latency: { kind: 'duration', scope: 'window' },
  p99_latency: { kind: 'duration', scope: 'window' },
  status_code: { kind: 'status', scope: 'record' },
  service_name: { kind: 'text', scope: 'stream' },
  namespace: { kind: 'text', scope: 'stream' },
  log_level: { kind: 'level', scope: 'stream' },
  log_type: { kind: 'log_type', scope: 'stream' },
} as const satisfies Readonly<Record<string, { readonly kind: MetricKind; readonly scope: MetricScope }>>
export type Metric = keyof typeof METRICS
export const METRIC_NAMES = Object.keys(METRICS) as readonly Metric[]

/** `IN` and `NOT IN` take a list, the others one value. */
export type Operator = '>' | '<' | '>=' | '<=' | '=' | '!=' | 'IN' | 'NOT IN'
export type RuleValue = number | string

/** Values are checked and in one form: durations in ms, levels as in LEVELS, log types in small letters. */
export interface Comparison {
  readonly kind: 'comparison'
  readonly metric: Metric
  readonly operator: Operator
  /** One value, or a list's, at least one. */
  readonly values: readonly RuleValue[]
}

export type RuleExpression =
  | Comparison
  | { readonly kind: 'not'; readonly operand: RuleExpression }
  | { readonly kind: 'and' | 'or'; readonly left: RuleExpression; readonly right: RuleExpression }

/** All comparisons, from left to right. */
export function comparisonsOf(expression: RuleExpression): Comparison[] {
  switch (expression.kind) {
    case 'comparison':
      return [expression]
    case 'not':
      return comparisonsOf(expression.operand)
    case 'and':
    case 'or':
      return [...comparisonsOf(expression.left), ...comparisonsOf(expression.right)]
  }
}
