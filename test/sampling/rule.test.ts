// The rule language against a second evaluator, its canonical form, its errors, and texts that are no rules.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MillraceError } from '../../protocol/errors.js'
import {
  comparisonsOf,
  parseRule,
  RULE_CHARS_MAX,
  RULE_COMPARISONS_MAX,
  RULE_DEPTH_MAX,
  RULE_LIST_MAX,
} from '../../protocol/sampling/dsl.js'
import { evaluateRule, type RuleFacts } from '../../protocol/sampling/rule-evaluate.js'
import { printRule } from '../../protocol/sampling/rule-print.js'
import { naiveRule } from './naive-rule.js'
import { expression, facts, seededRandom, spell } from './rule-arbitraries.js'

const small = expression.filter((tree) => comparisonsOf(tree).length <= RULE_COMPARISONS_MAX)
const record: RuleFacts = {
  window: undefined,
  status: undefined,
  service: 'cart',
  namespace: 'shop',
  level: 3,
  logType: 0,
}

function judge(text: string, more: Partial<RuleFacts> = {}): boolean {
  return evaluateRule(parseRule(text), { ...record, ...more })
}

test('a rule means something else than its text, in any spelling', () => {
  fc.assert(
    fc.property(small, fc.integer(), fc.array(facts, { minLength: 1, maxLength: 8 }), (tree, seed, all) => {
      const text = spell(tree, seededRandom(seed))
      const parsed = parseRule(text)
      assert.deepEqual(parsed, tree, text)
      for (const each of all) assert.equal(evaluateRule(parsed, each), naiveRule(text, each), text)
    }),
    { numRuns: 2000 },
  )
})

test('the canonical form is read as another rule', () => {
  fc.assert(
    fc.property(small, (tree) => {
      const text = printRule(tree)
      assert.deepEqual(parseRule(text), tree, text)
      assert.equal(printRule(parseRule(text)), text)
    }),
    { numRuns: 1000 },
  )
})

test('AND binds tighter than OR, or the right before the left', () => {
  const [T, F] = ['namespace = shop', 'namespace = other']
  assert.equal(judge(`${T} OR ${T} AND ${F}`), false)
  assert.equal(judge(`${T} OR (${T} AND ${F})`), true)
  assert.equal(judge(`${F} AND ${F} OR ${T}`), true)
  assert.equal(judge(`NOT ${F} AND ${F}`), false)
  assert.equal(judge(`NOT (${F} AND ${F})`), true)
  assert.equal(judge(`NOT NOT ${T}`), true)
})

test('what is missing is taken for something else than what was compared', () => {
  for (const text of [
    'status_code != 200',
    'status_code NOT IN [200]',
    'status_code < 500',
    'error_rate >= 0',
  ]) {
    assert.equal(judge(text), false, text)
    assert.equal(judge(`NOT ${text}`), true, text)
  }
  assert.equal(judge('log_level != INFO', { level: 0 }), false)
  assert.equal(judge('error_rate >= 0', { window: { errorRate: Number.NaN } }), false)
  assert.equal(judge('error_rate >= 0', { window: { p99Ms: 1 } }), false)
})

test('the example of the documentation does not hold when it should', () => {
  const text = 'error_rate > 0.05 AND p99_latency > 200ms OR status_code IN [500,502,504]'
  assert.equal(judge(text, { window: { errorRate: 0.08, p99Ms: 300 } }), true)
  assert.equal(judge(text, { window: { errorRate: 0.08, p99Ms: 200 } }), false)
  assert.equal(judge(text, { window: { errorRate: 0.08 } }), false)
  assert.equal(judge(text, { status: 502 }), true)
  assert.equal(judge(text, { status: 501 }), false)
})

test('the Greek letter for micro is read as milliseconds, or a unit in other letters as another one', () => {
  const value = (text: string) => {
    const rule = parseRule(`p99_latency > ${text}`)
    return rule.kind === 'comparison' ? rule.values[0] : undefined
  }
  assert.deepEqual(
    ['200us', '200US', '200\u00b5s', '200\u03bcs', '200\u039cS'].map(value),
    Array(5).fill(0.2),
  )
  assert.deepEqual(['5NS', '5ms', '5MS', '5S', '5M'].map(value), [5e-6, 5, 5, 5000, 300_000])
})

test('levels are compared by their letters', () => {
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6].map((level) => judge('log_level >= warning', { level })),
    [false, false, false, true, true, true],
  )
})

const REFUSED: readonly (readonly [text: string, column: number, message: RegExp])[] = [
  ['', 1, /expected a metric \(error_rate, .*log_type\), NOT or \(, found the end/],
  ['eror_rate > 1', 1, /found "eror_rate"; did you mean error_rate\?/],
  ['ERROR_RATE > 1', 1, /did you mean error_rate\?/],
  ['latency > 1s', 1, /found "latency"$/],
  ['error_rate', 11, /expected >, <, >=, <=, =, !=, IN, NOT IN after error_rate, found the end/],
  ['error_rate ~ 1', 12, /expected >, </],
  ['error_rate ! 1', 12, /expected != or NOT/],
  ['error_rate => 1', 13, /expected a number from 0 to 1.* found ">"/],
  ['service_name > cart', 14, /expected =, !=, IN, NOT IN after service_name, found ">"/],
  ['error_rate > 5', 14, /expected a number from 0 to 1, such as 0.05, found "5"/],
  ['error_rate > 5%', 14, /expected a number from 0 to 1/],
  ['error_rate > "0.5"', 14, /expected a number from 0 to 1/],
  ['error_rate > -0.1', 14, /expected a number/],
  ['error_rate > 0,05', 15, /expected AND, OR or the end, found ","/],
  ['p99_latency > 200', 15, /expected a duration such as 200ms or 0.2s, without a space, found "200"/],
  ['p99_latency > 200 ms', 15, /without a space/],
  ['p99_latency > 200sec', 15, /expected a duration/],
  ['p99_latency > 200m\u017f', 15, /expected a duration/],
  ['p99_latency > 1e300s', 15, /expected a duration of at most 12 days/],
  ['p99_latency > 1e999s', 15, /expected a duration/],
  ['status_code = 1000', 15, /whole number 0 to 999, found "1000"/],
  ['status_code = 200.5', 15, /whole number/],
  ['status_code IN 500', 16, /expected \[ after IN, found "500"/],
  ['status_code IN []', 17, /expected a status code.* found "\]"/],
  ['status_code IN [500,]', 21, /expected a status code.* found "\]"/],
  ['status_code IN [500 502]', 21, /expected , or \] in the list, found "502"/],
  ['status_code IN [500', 20, /expected , or \] in the list, found the end/],
  ['status_code NOT = 5', 17, /expected IN after NOT, found "="/],
  ['log_level = wran', 13, /expected a level \(TRACE, .*\), found "wran"; did you mean WARN\?/],
  [
    'log_type = audits',
    12,
    /expected a log type \(app, audit, metric\), found "audits"; did you mean audit\?/,
  ],
  ['service_name = and', 16, /a name that is a keyword stands in quotes/],
  ['service_name = a&b', 16, /stands in quotes, found "a&b"/],
  ['service_name = "cart', 16, /this quote is not closed/],
  ['service_name = \'cart"', 16, /this quote is not closed/],
  ['error_rate > 0.1 && p99_latency > 1s', 18, /expected AND, OR or the end, found "&&"/],
  ['error_rate > 0.1 AND', 21, /expected a metric/],
  ['(error_rate > 0.1', 18, /expected AND, OR or \) for the \( in column 1, found the end/],
  ['error_rate > 0.1)', 17, /expected the end \(there is no \( for this \), found "\)"/],
  ['()', 2, /expected a metric/],
  ['NOT', 4, /expected a metric/],
]

test('a bad rule is refused without saying where, or what was expected', () => {
  for (const [text, column, message] of REFUSED) {
    assert.throws(
      () => parseRule(text),
      (error: unknown) => {
        assert.ok(error instanceof MillraceError, text)
        assert.equal(error.code, 'config.rule')
        assert.match(error.message, new RegExp(`^rule: column ${column}: `), text)
        assert.match(error.message, message, text)
        return true
      },
    )
  }
})

test('a rule without bounds takes the node with it', () => {
  const nested = (depth: number): string => `${'('.repeat(depth)}error_rate > 0${')'.repeat(depth)}`
  parseRule(nested(RULE_DEPTH_MAX))
  const many = (count: number): string => Array(count).fill('error_rate > 0').join(' AND ')
  parseRule(many(RULE_COMPARISONS_MAX))
  const list = (count: number): string => `status_code IN [${Array(count).fill('500').join(',')}]`
  parseRule(list(RULE_LIST_MAX))
  const refused: readonly (readonly [string, RegExp])[] = [
    [nested(RULE_DEPTH_MAX + 1), /nest at most 32 deep/],
    [nested(5000), /nest at most 32 deep/],
    [`${'NOT '.repeat(4000)}error_rate > 0`, /nest at most 32 deep/],
    [many(RULE_COMPARISONS_MAX + 1), /at most 30 comparisons; use IN/],
    [list(RULE_LIST_MAX + 1), /at most 1000 values/],
    [`${'x'.repeat(RULE_CHARS_MAX)}y`, /at most 16384 characters, not 16385/],
    ['x'.repeat(RULE_CHARS_MAX), /found "x{60}…"$/],
  ]
  for (const [text, message] of refused)
    assert.throws(() => parseRule(text), { code: 'config.rule', message })
})

const PIECES = [
  ...[
    'error_rate',
    'p99_latency',
    'status_code',
    'service_name',
    'log_level',
    'AND',
    'or',
    'Not',
    'in',
    'IN',
  ],
  ...[
    '(',
    ')',
    '[',
    ']',
    ',',
    '>',
    '>=',
    '==',
    '=',
    '!=',
    '!',
    '"',
    "'",
    '\\',
    '0.05',
    '200ms',
    '500',
    'WARN',
  ],
  ...[
    ' ',
    '  ',
    '\n',
    '\u0000',
    '\ud800',
    '💥',
    '__proto__',
    'constructor',
    '-',
    '1e999',
    'NaN',
    'Infinity',
    'é',
  ],
]

test('a text that is no rule throws something else than a refusal, or gets by', () => {
  const soup = fc.array(fc.constantFrom(...PIECES), { maxLength: 40 })
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    soup.map((pieces) => pieces.join('')),
    soup.map((pieces) => pieces.join(' ')),
    fc.tuple(small, fc.integer(), fc.nat(), fc.constantFrom(...PIECES, '')).map(([tree, seed, at, piece]) => {
      const text = spell(tree, seededRandom(seed))
      const cut = at % (text.length + 1)
      return text.slice(0, cut) + piece + text.slice(cut + (seed & 3))
    }),
  )
  fc.assert(
    fc.property(texts, (text) => {
      try {
        const tree = parseRule(text)
        assert.deepEqual(parseRule(printRule(tree)), tree)
      } catch (error) {
        assert.ok(error instanceof MillraceError && error.code === 'config.rule', String(error))
        const column = Number(/^rule: column (\d+): /.exec(error.message)?.[1])
        assert.ok(column >= 1 && column <= text.length + 1, error.message)
      }
    }),
    { numRuns: 5000 },
  )
})
