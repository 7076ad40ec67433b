// Guards the filter language of tap: what a term means, where an error is, and that no filter can stall the node.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compileFilter, parseFilter } from '../../protocol/filter.js'

const record = JSON.stringify({
  timestamp: '2026-11-23T10:00:00.5Z',
  log_level: 'WARN',
  service_name: 'cart',
  'kubernetes.labels.app': 'shop',
  http: { status: 502, 'path.raw': '/a b' },
  duration_ms: 250,
  ok: true,
  empty: '',
  message: 'time "out" after\nretry: größe',
})
const takes = (filter: string) => compileFilter(filter)(record)

test('terms mean what they say', () => {
  const yes = [
    '',
    'retry',
    'level=warn',
    'level=WARNING',
    'level>=INFO',
    'level<ERROR',
    'log_level!=ERROR',
    'service_name=cart',
    'service_name!=pay',
    'missing!=x',
    'kubernetes.labels.app=shop',
    'http.status=502',
    'http.status>=500',
    'http.path.raw="/a b"',
    'duration_ms>99',
    'duration_ms<1000',
    'ok=true',
    'empty=',
    'message~"time .out"',
    'message!~nope',
    'message~größe',
    'timestamp>=2026-11-23',
    '"time \\"out\\""',
    'retry level>=WARN service_name~^ca',
    'größe',
  ]
  const no = [
    'level>WARN',
    'level=ERROR',
    'service_name=pay',
    'missing=x',
    'missing~x',
    'missing>1',
    'http.status=50',
    'duration_ms>1000',
    'duration_ms<99',
    'retry level>=ERROR',
    'nothing',
    'message=time',
    'kubernetes.labels.app~^x',
    'message!~time',
    'constructor=x',
    '__proto__.x=1',
  ]
  for (const filter of yes) assert.ok(takes(filter), filter)
  for (const filter of no) assert.ok(!takes(filter), filter)
})

test('a quoted value comes out as it was meant, whatever it holds', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 30 }), (value) => {
      const quoted = `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
      assert.deepEqual(parseFilter(`a=${quoted} b`), [
        { kind: 'field', key: 'a', operator: '=', value },
        { kind: 'word', text: 'b' },
      ])
      assert.ok(compileFilter(`k=${quoted}`)(JSON.stringify({ k: value })))
      if (value.trim() !== '') assert.ok(compileFilter(quoted)(JSON.stringify({ k: value })))
    }),
  )
})

test('an error names the column and the problem', () => {
  const cases: readonly [string, RegExp][] = [
    ['a=1 b="x', /column 7: this quote is not closed/],
    ['level>=LOUD', /column 8: "LOUD" is no level; there are TRACE/],
    ['a~(', /column 3: .*regular expression/i],
    ['a>', /column 3: a> needs a value/],
    ['x ""', /column 3: an empty word/],
    ['x'.repeat(5000), /at most 4096 characters/],
  ]
  for (const [filter, message] of cases)
    assert.throws(() => compileFilter(filter), { code: 'filter.syntax', message }, filter)
})

test('a regular expression that takes exponential time is refused', () => {
  for (const bad of ['(a+)+$', '(a*)*b', '(?:a|aa)+$', '(x{1,9})*', '([a-z]+)*=']) {
    assert.throws(() => compileFilter(`message~"${bad}"`), { code: 'filter.syntax' }, bad)
  }
  for (const good of ['a+b*', '(foo|bar)?', '(ab)+', '\\(a+\\)+', '[)(+*]+'])
    assert.ok(compileFilter(`message~"${good}"`), good)
})

test('a line that is no object meets words only and never throws', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
      assert.equal(typeof compileFilter('a.b=1')(line), 'boolean')
      assert.equal(compileFilter('')(line), true)
    }),
  )
})

test('any filter either compiles or is refused with filter.syntax', () => {
  const piece = fc.oneof(
    fc.constantFrom('a', '=', '~', '"', '>=', ' ', '(', '\\', 'level', '!'),
    fc.string({ maxLength: 3 }),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      try {
        compileFilter(pieces.join(''))(record)
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'filter.syntax')
      }
    }),
    { numRuns: 500 },
  )
})
