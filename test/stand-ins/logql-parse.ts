// Parses the forms of LogQL that Millrace's audit, query command and tests use.
import { unquote } from './loki-labels.js'

export type Comparison = '=' | '!=' | '=~' | '!~'
export type Matcher = {
  readonly name: string
  readonly test: (value: string) => boolean
  readonly matchesEmpty: boolean
}
export type LogQuery = {
  readonly kind: 'log'
  readonly matchers: readonly Matcher[]
  readonly lineFilters: readonly ((line: string) => boolean)[]
  /** All must hold; each is a choice of label filters joined by `or`. */
  readonly labelFilters: readonly (readonly Matcher[])[]
}
export type MetricQuery =
  | { readonly kind: 'range'; readonly op: RangeOp; readonly log: LogQuery; readonly rangeNs: bigint }
  | {
      readonly kind: 'vector'
      readonly op: VectorOp
      readonly by: readonly string[]
      readonly inner: MetricQuery
    }
  | { readonly kind: 'compare'; readonly op: string; readonly to: number; readonly inner: MetricQuery }
export type RangeOp = 'count_over_time' | 'bytes_over_time' | 'rate'
export type VectorOp = 'sum' | 'count' | 'min' | 'max'

const rangeOps: readonly string[] = ['count_over_time', 'bytes_over_time', 'rate']
const vectorOps: readonly string[] = ['sum', 'count', 'min', 'max']
const unitNs: Readonly<Record<string, bigint>> = {
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
  w: 604_800_000_000_000n,
}

type Reader = {
  /** Takes the next match, white space skipped; the first group or the whole. */
  take(pattern: RegExp): string | undefined
  need(pattern: RegExp, what: string): string
  atEnd(): boolean
}

/** Throws with Loki's kind of message. */
export function parseLogQL(text: string): LogQuery | MetricQuery {
  const reader = createReader(text)
  const query = reader.take(/(?=\{)/y) === undefined ? parseMetric(reader) : parseLog(reader)
  if (!reader.atEnd()) reader.need(/$/y, 'the end')
  return query
}

function createReader(text: string): Reader {
  let at = 0
  const take = (pattern: RegExp): string | undefined => {
    const space = /\s*/y
    space.lastIndex = at
    const skipped = space.exec(text)?.[0].length ?? 0
    pattern.lastIndex = at + skipped
    const found = pattern.exec(text)
    if (found === null) return undefined
    at += skipped + found[0].length
    return found[1] ?? found[0]
  }
  return {
    take,
    need(pattern, what) {
      const found = take(pattern)
      if (found === undefined)
        throw new Error(`parse error at line 1, col ${at + 1}: syntax error: expected ${what}`)
      return found
    },
    atEnd: () => text.slice(at).trim() === '',
  }
}

function parseMetric(reader: Reader): MetricQuery {
  let query = parsePrimary(reader)
  for (;;) {
    const op = reader.take(/==|!=|>=|<=|>|</y)
    if (op === undefined) return query
    query = { kind: 'compare', op, to: Number(reader.need(/-?\d+(?:\.\d+)?/y, 'a number')), inner: query }
  }
}

function parsePrimary(reader: Reader): MetricQuery {
  if (reader.take(/\(/y) !== undefined) {
    const inner = parseMetric(reader)
    reader.need(/\)/y, ')')
    return inner
  }
  const op = reader.need(/[a-z_]+/y, 'an aggregation')
  if (rangeOps.includes(op)) return parseRange(reader, op as RangeOp)
  if (!vectorOps.includes(op)) throw new Error(`parse error: unknown function ${op}`)
  const before = parseGrouping(reader)
  reader.need(/\(/y, '(')
  const inner = parseMetric(reader)
  reader.need(/\)/y, ')')
  return { kind: 'vector', op: op as VectorOp, by: before ?? parseGrouping(reader) ?? [], inner }
}

function parseGrouping(reader: Reader): string[] | undefined {
  const list = reader.take(/by\s*\(([^)]*)\)/y)
  return list
    ?.split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}

function parseRange(reader: Reader, op: RangeOp): MetricQuery {
  reader.need(/\(/y, '(')
  const log = parseLog(reader)
  const rangeNs = parseDuration(reader.need(/\[([^\]]+)\]/y, 'a range'))
  reader.need(/\)/y, ')')
  return { kind: 'range', op, log, rangeNs }
}

export function parseDuration(text: string): bigint {
  let total = 0n
  const rest = text.trim().replace(/(\d+)(ms|s|m|h|d|w)/g, (_, number: string, unit: string) => {
    total += BigInt(number) * (unitNs[unit] ?? 0n)
    return ''
  })
  if (rest !== '' || total === 0n) throw new Error(`parse error: not a valid duration: "${text}"`)
  return total
}

const stringPattern = /"(?:[^"\\]|\\.)*"|`[^`]*`/y
const comparePattern = /=~|!~|!=|=/y

function parseLog(reader: Reader): LogQuery {
  reader.need(/\{/y, '{')
  const matchers: Matcher[] = []
  while (reader.take(/\}/y) === undefined) {
    if (matchers.length > 0) reader.need(/,/y, ', or }')
    matchers.push(parseMatcher(reader))
  }
  if (matchers.every(({ matchesEmpty }) => matchesEmpty)) {
    throw new Error(
      'parse error : queries require at least one regexp or equality matcher that does not have an empty-compatible value',
    )
  }
  const lineFilters: ((line: string) => boolean)[] = []
  const labelFilters: Matcher[][] = []
  for (;;) {
    const filter = reader.take(/\|=|\|~|!=|!~/y)
    if (filter !== undefined)
      lineFilters.push(lineFilter(filter, unquote(reader.need(stringPattern, 'a string'))))
    // Only this one is used, and whoever uses it reads the rid from the metadata.
    else if (reader.take(/\|\s*line_format\s+"\{\{\.rid\}\}"/y) !== undefined) continue
    else if (reader.take(/\|/y) !== undefined) labelFilters.push(...parseLabelFilters(reader))
    else return { kind: 'log', matchers, lineFilters, labelFilters }
  }
}

function parseLabelFilters(reader: Reader): Matcher[][] {
  const all: Matcher[][] = [[parseMatcher(reader)]]
  for (;;) {
    if (reader.take(/or\b/y) !== undefined) all.at(-1)?.push(parseMatcher(reader))
    else if (reader.take(/and\b|,/y) !== undefined) all.push([parseMatcher(reader)])
    else return all
  }
}

function parseMatcher(reader: Reader): Matcher {
  const name = reader.need(/[a-zA-Z_][a-zA-Z0-9_]*/y, 'a label name')
  const compare = reader.need(comparePattern, 'a comparison') as Comparison
  const test = matcherTest(compare, unquote(reader.need(stringPattern, 'a string')))
  return { name, test, matchesEmpty: test('') }
}

/** A matcher's regular expression is anchored at both ends. */
function matcherTest(compare: Comparison, wanted: string): (value: string) => boolean {
  if (compare === '=') return (value) => value === wanted
  if (compare === '!=') return (value) => value !== wanted
  const pattern = new RegExp(`^(?:${wanted})$`, 's')
  return compare === '=~' ? (value) => pattern.test(value) : (value) => !pattern.test(value)
}

/** A line filter's is not. */
function lineFilter(filter: string, wanted: string): (line: string) => boolean {
  if (filter === '|=') return (line) => line.includes(wanted)
  if (filter === '!=') return (line) => !line.includes(wanted)
  const pattern = new RegExp(wanted, 's')
  return filter === '|~' ? (line) => pattern.test(line) : (line) => !pattern.test(line)
}
