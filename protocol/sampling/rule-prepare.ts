// Takes a rule's condition apart by how long its values stay the same, so that only sets of status codes are left for a record.
import {
  type Comparison,
  comparisonsOf,
  type Metric,
  METRICS,
  type RuleExpression,
  type RuleValue,
} from './rule-ast.js'
import {
  holds,
  recordFact,
  streamFact,
  type StreamFacts,
  windowFact,
  type WindowMetrics,
} from './rule-evaluate.js'
import { inBoth, inEither, notIn, STATUS_ABSENT, type StatusSet, statusSet } from './status-set.js'

/** The truths of some comparisons, bit n for the n-th from the left: at most RULE_COMPARISONS_MAX, so it fits an integer. */
export type Truths = number

export interface PreparedRule {
  /** Comparisons with a window's metrics; 0: the condition does not change over time. */
  readonly windowComparisons: number
  /** True when the condition asks for log_level. */
  readonly namesLevel: boolean
  /** True when it asks for log_type. */
  readonly namesLogType: boolean
  readonly usesStatus: boolean
  windowTruths(window: WindowMetrics | undefined): Truths
  streamTruths(stream: StreamFacts): Truths
  /** The status codes (STATUS_ABSENT: none) for which the condition holds under these truths. */
  residue(window: Truths, stream: Truths): StatusSet
  /** Whether the condition holds because of these truths of the window: for some status, or none, for which it does not hold whatever the window says. */
  byWindow(window: Truths, stream: Truths): boolean
}

const RESIDUES_MAX = 1024

export function prepareRule(expression: RuleExpression): PreparedRule {
  const all = comparisonsOf(expression)
  const ofScope = (scope: string) => all.filter(({ metric }) => METRICS[metric].scope === scope)
  const [windows, streams, records] = [ofScope('window'), ofScope('stream'), ofScope('record')]
  const bits = new Map([...windows.entries(), ...streams.entries()].map(([bit, each]) => [each, bit]))
  const sets = new Map(records.map((each) => [each, statusesOf(each)]))
  const evaluate = (node: RuleExpression, window: Truths, stream: Truths): StatusSet => {
    switch (node.kind) {
      case 'comparison': {
        const truths = METRICS[node.metric].scope === 'window' ? window : stream
        return sets.get(node) ?? ((truths >>> (bits.get(node) ?? 0)) & 1) === 1
      }
      case 'not':
        return notIn(evaluate(node.operand, window, stream))
      case 'and':
        return inBoth(evaluate(node.left, window, stream), evaluate(node.right, window, stream))
      case 'or':
        return inEither(evaluate(node.left, window, stream), evaluate(node.right, window, stream))
    }
  }
  /** The statuses for which it holds whatever the window says; with `may` those for which it holds if the window says the right thing. */
  const whatever = (node: RuleExpression, stream: Truths, may: boolean): StatusSet => {
    switch (node.kind) {
      case 'comparison':
        return METRICS[node.metric].scope === 'window' ? may : evaluate(node, 0, stream)
      case 'not':
        return notIn(whatever(node.operand, stream, !may))
      case 'and':
        return inBoth(whatever(node.left, stream, may), whatever(node.right, stream, may))
      case 'or':
        return inEither(whatever(node.left, stream, may), whatever(node.right, stream, may))
    }
  }
  const residue = remembered((window, stream) => evaluate(expression, window, stream))
  return {
    windowComparisons: windows.length,
    namesLevel: all.some(({ metric }) => metric === 'log_level'),
    namesLogType: all.some(({ metric }) => metric === 'log_type'),
    usesStatus: records.length > 0,
    windowTruths: (window) => truthsOf(windows, (metric) => windowFact(metric, window)),
    streamTruths: (stream) => truthsOf(streams, (metric) => streamFact(metric, stream)),
    residue,
    byWindow: remembered(
      (window, stream) =>
        inBoth(residue(window, stream), notIn(whatever(expression, stream, false))) !== false,
    ),
  }
}

function remembered<Value>(
  make: (window: Truths, stream: Truths) => Value,
): (window: Truths, stream: Truths) => Value {
  const known = new Map<string, Value>()
  return (window, stream) => {
    const key = `${window},${stream}`
    const found = known.get(key)
    if (found !== undefined) return found
    // Far more than there are in practice; when full, all is worked out again.
    if (known.size >= RESIDUES_MAX) known.clear()
    const value = make(window, stream)
    known.set(key, value)
    return value
  }
}

function statusesOf(comparison: Comparison): StatusSet {
  const { metric } = comparison
  return statusSet((status) =>
    holds(comparison, recordFact(metric, status === STATUS_ABSENT ? undefined : status)),
  )
}

function truthsOf(
  comparisons: readonly Comparison[],
  factOf: (metric: Metric) => RuleValue | undefined,
): Truths {
  let truths = 0
  for (let bit = 0; bit < comparisons.length; bit++) {
    const comparison = comparisons[bit] as Comparison
    if (holds(comparison, factOf(comparison.metric))) truths |= 1 << bit
  }
  return truths
}
