// Whether a rule's condition holds for one record and its service's window, straight from the tree.
import { levelRank } from '../level-rank.js'
import { LOG_TYPES } from '../levels.js'
import { type Comparison, type Metric, METRICS, type RuleExpression, type RuleValue } from './rule-ast.js'

/** A service's figures over its sliding window; what is not known (no latency seen) is undefined. */
export interface WindowMetrics {
  /** Errors by records, 0 … 1. */
  readonly errorRate?: number | undefined
  readonly p50Ms?: number | undefined
  readonly p90Ms?: number | undefined
  readonly p99Ms?: number | undefined
}

/** What is the same for all records of a stream. */
export interface StreamFacts {
  readonly service: string | undefined
  readonly namespace: string | undefined
  /** 0 unknown (then every comparison with it is false), 1 TRACE … 6 FATAL */
  readonly level: number
  /** 0 app, 1 audit, 2 metric */
  readonly logType: number
}

export interface RuleFacts extends StreamFacts {
  /** undefined: too few records to say. */
  readonly window: WindowMetrics | undefined
  /** 0 … 999; undefined: the record has none. */
  readonly status: number | undefined
}

/**
 * A value that is missing makes every comparison with it false, `!=` and `NOT IN` too; the operator NOT flips what it stands before.
 * So `NOT status_code = 200` holds for a record without a status, and `status_code != 200` does not.
 */
export function evaluateRule(expression: RuleExpression, facts: RuleFacts): boolean {
  switch (expression.kind) {
    case 'comparison':
      return holds(expression, factOf(expression.metric, facts))
    case 'not':
      return !evaluateRule(expression.operand, facts)
    case 'and':
      return evaluateRule(expression.left, facts) && evaluateRule(expression.right, facts)
    case 'or':
      return evaluateRule(expression.left, facts) || evaluateRule(expression.right, facts)
  }
}

function factOf(metric: Metric, facts: RuleFacts): RuleValue | undefined {
  return windowFact(metric, facts.window) ?? streamFact(metric, facts) ?? recordFact(metric, facts.status)
}

/** undefined too for what is not of a window; so with the others. */
export function windowFact(metric: Metric, window: WindowMetrics | undefined): number | undefined {
  switch (metric) {
    case 'error_rate':
      return window?.errorRate
    case 'p50_latency':
      return window?.p50Ms
    case 'p90_latency':
      return window?.p90Ms
    case 'p99_latency':
      return window?.p99Ms
    default:
      return undefined
  }
}

/** A level is its rank, so that it can be ordered. */
export function streamFact(metric: Metric, stream: StreamFacts): RuleValue | undefined {
  switch (metric) {
    case 'service_name':
      return stream.service
    case 'namespace':
      return stream.namespace
    case 'log_level':
      return stream.level === 0 ? undefined : stream.level
    case 'log_type':
      return LOG_TYPES[stream.logType]
    default:
      return undefined
  }
}

export function recordFact(metric: Metric, status: number | undefined): number | undefined {
  return metric === 'status_code' ? status : undefined
}

/** One comparison with its fact. */
export function holds({ metric, operator, values }: Comparison, fact: RuleValue | undefined): boolean {
  // NaN is what an empty window divides to: no figure either.
  if (fact === undefined || Number.isNaN(fact)) return false
  const isLevel = METRICS[metric].kind === 'level'
  const wanted = (value: RuleValue | undefined) => (isLevel ? levelRank(String(value)) : value)
  if (operator === 'IN') return values.some((value) => wanted(value) === fact)
  if (operator === 'NOT IN') return !values.some((value) => wanted(value) === fact)
  const value = wanted(values[0])
  if (operator === '=') return fact === value
  if (operator === '!=') return fact !== value
  return ordered(Number(fact), operator, Number(value))
}

function ordered(fact: number, operator: '>' | '<' | '>=' | '<=', value: number): boolean {
  if (operator === '>=') return fact >= value
  if (operator === '<=') return fact <= value
  return operator === '>' ? fact > value : fact < value
}
