// A second evaluator of rules that shares nothing with the first: it rewrites the text until one letter is left.
import type { RuleFacts } from '../../protocol/sampling/rule-evaluate.js'

const VALUE = String.raw`"(?:\\[\\"]|[^"])*"|'(?:\\[\\']|[^'])*'|[^\s()[\],]+`
const COMPARISON = new RegExp(
  String.raw`\b(error_rate|p50_latency|p90_latency|p99_latency|status_code|service_name|namespace|log_level|log_type)` +
    String.raw`\s*(?:(not\s+in|in)\s*\[((?:\s*(?:${VALUE})\s*,?)+)\]|(>=|<=|==|!=|>|<|=)\s*(${VALUE}))`,
  'giu',
)
const RANKS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal']
const LEVEL_NAMES: Readonly<Record<string, string>> = { warning: 'warn', err: 'error', critical: 'fatal' }
const UNITS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, ms: 1, s: 1000, m: 60_000 }

/** For well-formed texts only. */
export function naiveRule(text: string, facts: RuleFacts): boolean {
  let letters = text
    .replace(
      COMPARISON,
      (_, metric: string, list: string | undefined, values: string, sign: string, value: string) => {
        const wanted = [...(list === undefined ? value : values).matchAll(new RegExp(VALUE, 'gu'))].map(
          ([each]) => each,
        )
        const operator = list === undefined ? sign : list.replace(/\s+/g, '').toUpperCase()
        return compare(metric, operator, wanted, facts) ? 'T' : 'F'
      },
    )
    .replace(/\band\b/gi, '&')
    .replace(/\bor\b/gi, '|')
    .replace(/\bnot\b/gi, '!')
    .replace(/\s+/g, '')
  for (let before = ''; before !== letters; ) {
    before = letters
    letters = letters
      .replace(/!T/g, 'F')
      .replace(/!F/g, 'T')
      .replace(/\(([TF])\)/g, '$1')
    // The first two operands after an opening one: from left to right, whatever the sign between them.
    letters = letters.replace(
      /(^|\()([TF])([&|])([TF])/g,
      (_, open: string, a: string, sign: string, b: string) => {
        const holds = sign === '&' ? a === 'T' && b === 'T' : a === 'T' || b === 'T'
        return open + (holds ? 'T' : 'F')
      },
    )
  }
  if (letters !== 'T' && letters !== 'F') throw new Error(`left over: ${letters} of ${text}`)
  return letters === 'T'
}

function compare(metric: string, operator: string, texts: readonly string[], facts: RuleFacts): boolean {
  const fact = factNamed(metric, facts)
  if (fact === undefined || Number.isNaN(fact)) return false
  const values = texts.map((text) => valueOf(metric, text))
  const close = (a: unknown, b: unknown): boolean =>
    typeof a === 'number' && typeof b === 'number' ? Math.abs(a - b) < 1e-9 : a === b
  const equal = values.some((value) => close(value, fact))
  const [a, b] = [fact as number, values[0] as number]
  switch (operator) {
    case 'IN':
    case '=':
    case '==':
      return equal
    case 'NOTIN':
    case '!=':
      return !equal
    case '>':
      return a > b && !equal
    case '<':
      return a < b && !equal
    case '>=':
      return a > b || equal
    default:
      return a < b || equal
  }
}

function factNamed(metric: string, { window, ...facts }: RuleFacts): number | string | undefined {
  const named: Readonly<Record<string, number | string | undefined>> = {
    error_rate: window?.errorRate,
    p50_latency: window?.p50Ms,
    p90_latency: window?.p90Ms,
    p99_latency: window?.p99Ms,
    status_code: facts.status,
    service_name: facts.service,
    namespace: facts.namespace,
    log_level: facts.level === 0 ? undefined : facts.level - 1,
    log_type: ['app', 'audit', 'metric'][facts.logType],
  }
  return named[metric]
}

function valueOf(metric: string, text: string): number | string {
  const quote = text[0] === '"' || text[0] === "'" ? text[0] : undefined
  const plain =
    quote === undefined ? text : text.slice(1, -1).replaceAll(`\\${quote}`, quote).replaceAll('\\\\', '\\')
  if (metric === 'service_name' || metric === 'namespace') return plain
  const lower = plain.toLowerCase()
  if (metric === 'log_level') return RANKS.indexOf(LEVEL_NAMES[lower] ?? lower)
  if (metric === 'log_type') return lower
  const unit = /[a-z]+$/.exec(lower)?.[0] ?? ''
  return Number.parseFloat(lower) * (UNITS[unit] ?? 1)
}
