// Random rules as trees and as texts in many spellings, and facts to judge them by.
import fc from 'fast-check'
import type { Comparison, Metric, Operator, RuleExpression, RuleValue } from '../../protocol/sampling/dsl.js'
import type { RuleFacts, WindowMetrics } from '../../protocol/sampling/rule-evaluate.js'

/** Small pools, so that facts often equal what they are compared with. */
const RATIOS = [0, 0.01, 0.05, 0.5, 1]
const LATENCIES_MS = [0, 0.15, 20, 200, 1000, 60_000]
const STATUSES = [0, 200, 404, 500, 502, 504, 999]
const NAMES = [
  'cart',
  'payment-api',
  'shop/cart',
  'and',
  'NOT',
  'a b',
  'x)] OR (',
  'it\'s "q" \\',
  '',
  '500',
  'é.λ_1',
]
const LEVEL_NAMES = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL']
const TYPES = ['app', 'audit', 'metric']

const ORDERED: readonly Operator[] = ['>', '<', '>=', '<=', '=', '!=', 'IN', 'NOT IN']
const EQUAL: readonly Operator[] = ['=', '!=', 'IN', 'NOT IN']

function comparisons(metric: Metric, operators: readonly Operator[], pool: readonly RuleValue[]) {
  return fc
    .tuple(fc.constantFrom(...operators), fc.array(fc.constantFrom(...pool), { minLength: 1, maxLength: 4 }))
    .map(([operator, values]): Comparison => {
      const used = operator.endsWith('IN') ? values : values.slice(0, 1)
      return { kind: 'comparison', metric, operator, values: used }
    })
}

export const comparison: fc.Arbitrary<Comparison> = fc.oneof(
  comparisons('error_rate', ORDERED, RATIOS),
  comparisons('p50_latency', ORDERED, LATENCIES_MS),
  comparisons('p90_latency', ORDERED, LATENCIES_MS),
  comparisons('p99_latency', ORDERED, LATENCIES_MS),
  { arbitrary: comparisons('status_code', ORDERED, STATUSES), weight: 3 },
  comparisons('service_name', EQUAL, NAMES),
  comparisons('namespace', EQUAL, NAMES),
  comparisons('log_level', ORDERED, LEVEL_NAMES),
  comparisons('log_type', EQUAL, TYPES),
)

export const expression: fc.Arbitrary<RuleExpression> = fc.letrec<{ node: RuleExpression }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    { arbitrary: comparison, weight: 3 },
    tie('node').map((operand): RuleExpression => ({ kind: 'not', operand })),
    {
      arbitrary: fc
        .tuple(fc.constantFrom('and' as const, 'or' as const), tie('node'), tie('node'))
        .map(([kind, left, right]): RuleExpression => ({ kind, left, right })),
      weight: 4,
    },
  ),
})).node

const maybe = <T>(pool: readonly T[]) => fc.option(fc.constantFrom(...pool), { nil: undefined, freq: 4 })

export const windowMetrics: fc.Arbitrary<WindowMetrics | undefined> = fc.option(
  fc.record({
    errorRate: maybe([...RATIOS, 0.06, Number.NaN]),
    p50Ms: maybe([...LATENCIES_MS, 21]),
    p90Ms: maybe([...LATENCIES_MS, 199.9]),
    p99Ms: maybe([...LATENCIES_MS, 300]),
  }),
  { nil: undefined, freq: 6 },
)

export const streamFacts = fc.record({
  service: maybe(NAMES),
  namespace: maybe(NAMES),
  level: fc.integer({ min: 0, max: 6 }),
  logType: fc.integer({ min: 0, max: 2 }),
})

export const facts: fc.Arbitrary<RuleFacts> = fc
  .tuple(streamFacts, windowMetrics, maybe([...STATUSES, 501]))
  .map(([stream, window, status]) => ({ ...stream, window, status }))

/** mulberry32: numbers 0 … 1 from a seed, for choices of spelling that need no shrinking. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Any of a tree's spellings: spaces, case of keywords, quotes, units, levels' other names, parentheses that change nothing. */
export function spell(tree: RuleExpression, random: () => number): string {
  const pick = <T>(pool: readonly T[]): T => pool[Math.floor(random() * pool.length)] as T
  const gap = (): string => pick(['', '', ' ', '  ', '\n\t'])
  const space = (): string => pick([' ', ' ', '   ', '\n', '\t '])
  const keyword = (word: string): string =>
    pick([
      word,
      word.toLowerCase(),
      word.replace(/./g, (letter) => (random() < 0.5 ? letter.toLowerCase() : letter)),
    ])
  const value = (metric: Metric, of: RuleValue): string => {
    if (metric.endsWith('latency')) return pick(durationSpellings(Number(of)))
    if (metric === 'log_level') return pick(levelSpellings(String(of)))
    if (metric === 'log_type') return pick([String(of), String(of).toUpperCase(), `"${of}"`])
    return typeof of === 'number' ? pick([String(of), of.toFixed(3)]) : pick(nameSpellings(of))
  }
  const atom = ({ metric, operator, values }: Comparison): string => {
    const texts = values.map((each) => value(metric, each))
    if (operator === 'IN' || operator === 'NOT IN') {
      const word = operator.split(' ').map(keyword).join(space())
      return `${metric}${space()}${word}${gap()}[${gap()}${texts.join(`${gap()},${gap()}`)}${gap()}]`
    }
    const sign = operator === '=' ? pick(['=', '==']) : operator
    return `${metric}${gap()}${sign}${gap()}${texts[0]}`
  }
  const group = (text: string): string => `(${gap()}${text}${gap()})`
  const write = (node: RuleExpression, isOperand: boolean): string => {
    const text =
      node.kind === 'comparison'
        ? atom(node)
        : node.kind === 'not'
          ? `${keyword('NOT')}${space()}${write(node.operand, true)}`
          : `${write(node.left, false)}${space()}${keyword(node.kind.toUpperCase())}${space()}${write(node.right, true)}`
    const isPair = node.kind === 'and' || node.kind === 'or'
    return (isPair && isOperand) || random() < 0.1 ? group(text) : text
  }
  return `${gap()}${write(tree, false)}${gap()}`
}

function durationSpellings(durationMs: number): string[] {
  const exact = [`${durationMs}ms`, `${durationMs}MS`, `${durationMs.toFixed(2)}ms`]
  if (durationMs === 0.15) return [...exact, '150us', '.15ms', '150000ns', '1.5e-1ms']
  if (durationMs === 60_000) return [...exact, '1m', '60s']
  return durationMs >= 20 ? [...exact, `${durationMs / 1000}s`, `${durationMs * 1000}us`] : exact
}

function levelSpellings(level: string): string[] {
  const others: Readonly<Record<string, string>> = { WARN: 'warning', ERROR: 'err', FATAL: 'Critical' }
  return [level, level.toLowerCase(), `"${level}"`, others[level] ?? level]
}

function nameSpellings(name: string): string[] {
  const escaped = name.replaceAll('\\', '\\\\')
  const quoted = [`"${escaped.replaceAll('"', '\\"')}"`, `'${escaped.replaceAll("'", "\\'")}'`]
  return ['cart', 'payment-api', 'shop/cart', '500', 'é.λ_1'].includes(name) ? [...quoted, name] : quoted
}
