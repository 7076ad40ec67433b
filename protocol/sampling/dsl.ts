// The rule language: `error_rate > 0.05 AND p99_latency > 200ms OR status_code IN [500, 502, 504]`, from text to tree.
import {
  type Metric,
  METRIC_NAMES,
  METRICS,
  type Operator,
  type RuleExpression,
  type RuleValue,
} from './rule-ast.js'
import { ruleError, ruleTokens, type Token } from './rule-lexer.js'
import { nearest, readRuleValue } from './rule-values.js'

export * from './rule-ast.js'
export { RULE_CHARS_MAX } from './rule-lexer.js'

/** Parentheses and NOTs within each other. */
export const RULE_DEPTH_MAX = 32
/** So that the truths of all comparisons fit one integer; a list (IN) counts as one. */
export const RULE_COMPARISONS_MAX = 30
export const RULE_LIST_MAX = 1000

const KEYWORDS = ['AND', 'OR', 'NOT', 'IN']
const NUMBER_OPERATORS: readonly Operator[] = ['>', '<', '>=', '<=', '=', '!=', 'IN', 'NOT IN']
const NAME_OPERATORS: readonly Operator[] = ['=', '!=', 'IN', 'NOT IN']

/**
 * ```
 * expression = operand { (AND | OR) operand }        from left to right, AND does not bind tighter than OR
 * operand    = NOT operand | "(" expression ")" | comparison
 * comparison = metric (> | < | >= | <= | = | !=) value | metric [NOT] IN "[" value { "," value } "]"
 * ```
 * Keywords in any case; `==` is read as `=`. Names without quotes or in either kind. Durations in ns, us (also µs), ms, s, m.
 * Throws `config.rule` with the 1-based column and what was expected there.
 */
export function parseRule(text: string): RuleExpression {
  const reader = createReader(ruleTokens(text))
  const expression = readExpression(reader, 0)
  const rest = reader.peek()
  if (rest.kind !== 'end')
    fail(rest, rest.text === ')' ? 'the end (there is no ( for this )' : 'AND, OR or the end')
  return expression
}

interface Reader {
  peek(): Token
  take(): Token
  /** Takes the next token when it is this keyword or sign. */
  takes(text: string): boolean
  /** Counts a comparison; refuses one too many. */
  countComparison(token: Token): void
}

function createReader(tokens: readonly Token[]): Reader {
  const end = tokens[tokens.length - 1] as Token
  let at = 0
  let comparisons = 0
  const peek = (): Token => tokens[at] ?? end
  const take = (): Token => tokens[at++] ?? end
  return {
    peek,
    take,
    takes(text) {
      const found = is(peek(), text)
      if (found) take()
      return found
    },
    countComparison(token) {
      if (++comparisons > RULE_COMPARISONS_MAX) {
        ruleError(
          token.column,
          `a condition has at most ${RULE_COMPARISONS_MAX} comparisons; use IN, or several rules`,
        )
      }
    },
  }
}

function is({ kind, text }: Token, wanted: string): boolean {
  return (kind === 'word' && text.toUpperCase() === wanted) || (kind === 'sign' && text === wanted)
}

function isKeyword(token: Token): boolean {
  return KEYWORDS.some((keyword) => token.kind === 'word' && is(token, keyword))
}

function fail(token: Token, expected: string, hint = ''): never {
  const shown = token.text.length > 60 ? `${token.text.slice(0, 60)}…` : token.text
  const found = token.kind === 'end' ? 'the end' : JSON.stringify(shown)
  return ruleError(token.column, `expected ${expected}, found ${found}${hint}`)
}

function readExpression(reader: Reader, depth: number): RuleExpression {
  let left = readOperand(reader, depth)
  for (;;) {
    const kind = reader.takes('AND') ? 'and' : reader.takes('OR') ? 'or' : undefined
    if (kind === undefined) return left
    left = { kind, left, right: readOperand(reader, depth) }
  }
}

function readOperand(reader: Reader, depth: number): RuleExpression {
  const first = reader.peek()
  if (depth > RULE_DEPTH_MAX)
    ruleError(first.column, `parentheses and NOT nest at most ${RULE_DEPTH_MAX} deep`)
  if (reader.takes('NOT')) return { kind: 'not', operand: readOperand(reader, depth + 1) }
  if (!reader.takes('(')) return readComparison(reader)
  const inner = readExpression(reader, depth + 1)
  if (!reader.takes(')')) fail(reader.peek(), `AND, OR or ) for the ( in column ${first.column}`)
  return inner
}

function readComparison(reader: Reader): RuleExpression {
  const token = reader.take()
  const metric = METRIC_NAMES.find((name) => token.kind === 'word' && name === token.text)
  if (metric === undefined) {
    const isName = token.kind === 'word' && !isKeyword(token)
    const hint = isName ? nearest(token.text.toLowerCase(), METRIC_NAMES) : ''
    return fail(token, `a metric (${METRIC_NAMES.join(', ')}), NOT or (`, hint)
  }
  reader.countComparison(token)
  const operator = readOperator(reader, metric)
  if (operator !== 'IN' && operator !== 'NOT IN') {
    return { kind: 'comparison', metric, operator, values: [readValue(reader, metric)] }
  }
  return { kind: 'comparison', metric, operator, values: readList(reader, metric) }
}

function readOperator(reader: Reader, metric: Metric): Operator {
  const { kind } = METRICS[metric]
  const allowed = kind === 'text' || kind === 'log_type' ? NAME_OPERATORS : NUMBER_OPERATORS
  const token = reader.take()
  if (is(token, 'NOT')) {
    if (!reader.takes('IN')) fail(reader.peek(), 'IN after NOT')
    return 'NOT IN'
  }
  const text = token.kind === 'quoted' ? '' : token.text.toUpperCase()
  const operator = allowed.find((each) => each === (text === '==' ? '=' : text))
  return operator ?? fail(token, `${allowed.join(', ')} after ${metric}`)
}

function readValue(reader: Reader, metric: Metric): RuleValue {
  const token = reader.take()
  const isText = token.kind === 'quoted' || (token.kind === 'word' && !isKeyword(token))
  const read = readRuleValue(METRICS[metric].kind, isText ? token.text : '', token.kind === 'quoted')
  if (isText && 'value' in read) return read.value
  if ('value' in read) return fail(token, 'a name')
  const hint = isKeyword(token) ? '; a name that is a keyword stands in quotes' : read.hint
  return fail(token, read.expected, hint)
}

function readList(reader: Reader, metric: Metric): RuleValue[] {
  if (!reader.takes('[')) fail(reader.peek(), '[ after IN')
  const values: RuleValue[] = []
  do {
    const { column } = reader.peek()
    if (values.length === RULE_LIST_MAX) ruleError(column, `a list has at most ${RULE_LIST_MAX} values`)
    values.push(readValue(reader, metric))
  } while (reader.takes(','))
  if (!reader.takes(']')) fail(reader.peek(), ', or ] in the list')
  return values
}
