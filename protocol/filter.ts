// The filter language of `tap`: terms joined by AND, compiled to a predicate over a record's line.
import { MillraceError, saidOf } from './errors.js'
import { levelName, levelRank } from './level-rank.js'

/** One term. `word` is a substring of the whole line; the others look at one field. */
export type Term =
  | { readonly kind: 'word'; readonly text: string }
  | { readonly kind: 'field'; readonly key: string; readonly operator: Operator; readonly value: string }
export type Operator = '=' | '!=' | '~' | '!~' | '>=' | '<=' | '>' | '<'

const OPERATORS: readonly Operator[] = ['!=', '!~', '>=', '<=', '=', '~', '>', '<']
const KEY = /^[A-Za-z_@][A-Za-z0-9_@./-]*/
const FILTER_CHARS_MAX = 4096
/** A regular expression sees at most so much of a value: its cost is bounded by this and by the refusal of nested repeats. */
const REGEX_INPUT_CHARS_MAX = 8192

/**
 * `service_name=cart level>=WARN message~"time(d)? out" timeout`: terms separated by spaces, all must hold.
 * A value with spaces stands in double quotes (`\"` and `\\` inside). Throws `filter.syntax` with the 1-based column.
 */
export function parseFilter(text: string): Term[] {
  if (text.length > FILTER_CHARS_MAX)
    fail(FILTER_CHARS_MAX + 1, `a filter has at most ${FILTER_CHARS_MAX} characters`)
  const terms: Term[] = []
  let at = 0
  while (at < text.length) {
    if (/\s/.test(text[at] as string)) {
      at++
      continue
    }
    const key = KEY.exec(text.slice(at))?.[0]
    const operator =
      key === undefined ? undefined : OPERATORS.find((sign) => text.startsWith(sign, at + key.length))
    if (key === undefined || operator === undefined) {
      const word = readValue(text, at)
      if (word.value === '') fail(at + 1, 'an empty word matches nothing; leave it out')
      terms.push({ kind: 'word', text: word.value })
      at = word.end
      continue
    }
    const valueAt = at + key.length + operator.length
    const { value, end } = readValue(text, valueAt)
    check(key, operator, value, valueAt + 1)
    terms.push({ kind: 'field', key, operator, value })
    at = end
  }
  return terms
}

/** An empty filter takes every record. A line that is no JSON object only meets words. Throws `filter.syntax`. */
export function compileFilter(text: string): (recordLine: string) => boolean {
  const terms = parseFilter(text)
  const words = terms.flatMap((term) => (term.kind === 'word' ? [wordTest(term.text)] : []))
  const fields = terms.flatMap((term) => (term.kind === 'field' ? [fieldTest(term)] : []))
  return (line) => {
    if (!words.every((test) => test(line))) return false
    if (fields.length === 0) return true
    const record = parseRecord(line)
    return record !== undefined && fields.every((test) => test(record))
  }
}

type RecordObject = Readonly<Record<string, unknown>>

function wordTest(word: string): (line: string) => boolean {
  // Inside the line the word may be written with JSON's escapes.
  const escaped = JSON.stringify(word).slice(1, -1)
  return (line) => line.includes(word) || (escaped !== word && line.includes(escaped))
}

function fieldTest({
  key,
  operator,
  value,
}: Extract<Term, { kind: 'field' }>): (record: RecordObject) => boolean {
  const name = key === 'level' ? 'log_level' : key
  const own = (record: RecordObject) => fieldText(record, name)
  const isLevel = name === 'log_level'
  if (operator === '=' || operator === '!=') {
    const wanted = isLevel ? levelName(value) : value
    return (record) => (own(record) === wanted) === (operator === '=')
  }
  if (operator === '~' || operator === '!~') {
    const pattern = new RegExp(value, 'u')
    return (record) =>
      pattern.test((own(record) ?? '').slice(0, REGEX_INPUT_CHARS_MAX)) === (operator === '~')
  }
  return (record) => {
    const text = own(record)
    return (
      text !== undefined &&
      ordered(isLevel ? compareLevels(text, value) : compareValues(text, value), operator)
    )
  }
}

function ordered(order: number, operator: Operator): boolean {
  if (operator === '>=') return order >= 0
  if (operator === '<=') return order <= 0
  return operator === '>' ? order > 0 : order < 0
}

function compareLevels(a: string, b: string): number {
  return (levelRank(a) ?? Number.NaN) - (levelRank(b) ?? Number.NaN)
}

/** By number when both are numbers, else by text (which orders timestamps too). */
function compareValues(a: string, b: string): number {
  const numbers = [Number(a), Number(b)] as const
  if (a.trim() !== '' && b.trim() !== '' && !numbers.some(Number.isNaN)) return numbers[0] - numbers[1]
  return a < b ? -1 : a > b ? 1 : 0
}

function parseRecord(line: string): RecordObject | undefined {
  try {
    const record: unknown = JSON.parse(line)
    return typeof record === 'object' && record !== null ? (record as RecordObject) : undefined
  } catch {
    return undefined
  }
}

/** The value as text; a dotted key is tried as it is first, then as a path. Objects and lists are their JSON. */
function fieldText(record: RecordObject, key: string): string | undefined {
  const value = look(record, key)
  if (value === undefined) return undefined
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function look(record: RecordObject, key: string): unknown {
  if (Object.hasOwn(record, key)) return record[key]
  for (let dot = key.indexOf('.'); dot > 0; dot = key.indexOf('.', dot + 1)) {
    const inner = Object.hasOwn(record, key.slice(0, dot)) ? record[key.slice(0, dot)] : undefined
    if (typeof inner !== 'object' || inner === null) continue
    const found = look(inner as RecordObject, key.slice(dot + 1))
    if (found !== undefined) return found
  }
  return undefined
}

/** A bare value ends at a space, a quoted one at its quote. */
function readValue(text: string, start: number): { readonly value: string; readonly end: number } {
  if (text[start] !== '"') {
    const end = start + (/^\S*/.exec(text.slice(start))?.[0].length ?? 0)
    return { value: text.slice(start, end), end }
  }
  let value = ''
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '"') return { value, end: at + 1 }
    // Only the quote and the backslash are escaped; `\d` of a regular expression stays as it is.
    if (text[at] === '\\' && (text[at + 1] === '"' || text[at + 1] === '\\')) at++
    value += text[at] as string
  }
  return fail(start + 1, 'this quote is not closed; add "')
}

function check(key: string, operator: Operator, value: string, column: number): void {
  if (operator === '~' || operator === '!~') return checkRegex(value, column)
  const level = key === 'level' || key === 'log_level'
  if (level && operator !== '=' && operator !== '!=' && levelRank(value) === undefined) {
    fail(column, `${JSON.stringify(value)} is no level; there are TRACE, DEBUG, INFO, WARN, ERROR, FATAL`)
  }
  if (value === '' && operator !== '=' && operator !== '!=') fail(column, `${key}${operator} needs a value`)
}

function checkRegex(value: string, column: number): void {
  try {
    if (new RegExp(value, 'u').test('') === undefined) return
  } catch (error) {
    fail(column, saidOf(error))
  }
  // (a+)+ and (a|aa)+ take exponential time on some inputs, and a filter runs on the node's own thread.
  if (/\((?:[^()\\]|\\.)*[*+|}](?:[^()\\]|\\.)*\)(?:[*+]|\{\d+,)/.test(value)) {
    fail(column, 'a repeated group that holds a repeat or an alternative may take for ever; write it without')
  }
}

function fail(column: number, problem: string): never {
  throw new MillraceError('filter.syntax', `filter: column ${column}: ${problem}`)
}
