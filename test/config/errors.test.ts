// Guards what a user meets who wrote a wrong configuration: the place, the value, the expectation and the way out.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { configText, parse, problemsOf } from './config-text.js'

test('an unknown key is told with its place, the nearest key and all allowed ones', () => {
  const { code, lines } = problemsOf(configText({ extra: 'journal:\n  segmnt_bytes: 1MiB\n' }))
  assert.equal(code, 'config.unknown_key')
  assert.deepEqual(lines, [
    '6:3: journal.segmnt_bytes: unknown key; did you mean segment_bytes? allowed in journal: segment_bytes, bytes_max, at_bound, commit_wait, fsync',
  ])
})

test('an unknown key inside a typed source names the keys of that type', () => {
  const { lines } = problemsOf(configText({ source: 'type: stdin, formt: json' }))
  assert.match(
    lines[0] ?? '',
    /^2:23: sources\.app\.formt: unknown key; did you mean format\? allowed in sources\.app: type, format, fields, multiline$/,
  )
})

test('a missing or misspelt type names the types', () => {
  assert.match(
    problemsOf(configText({ source: 'include: [x]' })).lines[0] ?? '',
    /sources\.app\.type: missing, expected one of kubernetes, file, http, stdin; add type/,
  )
  assert.match(
    problemsOf(configText({ backend: 'type: lokii, url: http://x' })).lines[0] ?? '',
    /got "lokii", expected one of elasticsearch, loki, archive; did you mean loki\?/,
  )
})

test('wrong values name the value, what was expected and the way out', () => {
  const cases: readonly [string, RegExp][] = [
    [
      'journal: { segment_bytes: 5 apples }',
      /^5:12: journal\.segment_bytes: got "5 apples", expected a size such as .*; or leave it out for 64MiB$/,
    ],
    ['journal: { segment_bytes: 1KiB }', /got "1KiB", expected at least 64KiB/],
    ['journal: { fsync: "yes" }', /got "yes", expected true or false/],
    ['journal: { at_bound: blok }', /expected one of block, release, drop_oldest; did you mean block\?/],
    ['records: { batch_age_max: 6m }', /expected at most 5m/],
    ['sampling: { tiers: { warn: 2 } }', /got 2, expected a rate from 0 to 1/],
    ['sampling: { tiers: { warn: .inf } }', /got Infinity, expected a rate from 0 to 1/],
    ['sampling: { tiers: { warn: .nan } }', /got NaN, expected a rate from 0 to 1/],
    ['node: { id: 12 }', /got 12, expected a text; put it in quotes/],
    ['node: { id: }', /got an empty value, expected a text/],
    ['http: { listen: 7700 }', /got 7700, expected a text/],
    ['http: { listen: "127.0.0.1:77000" }', /expected host:port such as/],
    ['runtime: 5', /runtime: got 5, expected a map/],
    ['runtime: { slots: 1.5 }', /expected a whole number/],
    ['runtime: { slots: 1 }', /expected at least 4/],
  ]
  for (const [extra, expected] of cases)
    assert.match(problemsOf(configText({ extra })).lines[0] ?? '', expected, extra)
})

test('an option that is required is named where its map begins', () => {
  assert.match(
    problemsOf(configText({ backend: 'type: loki' })).lines[0] ?? '',
    /^4:3: backends\.es\.url: missing, expected a URL such as http:\/\/127\.0\.0\.1:3100; add url$/,
  )
})

test('a regular expression that does not compile is refused at its place and not when the first line comes', () => {
  const { lines } = problemsOf(configText({ source: "type: stdin, multiline: { start: '(' }" }))
  assert.match(
    lines[0] ?? '',
    /^2:36: sources\.app\.multiline\.start: got "\(", expected a regular expression/,
  )
})

test('a bad name of a source is refused: it becomes part of metrics and files', () => {
  assert.match(
    problemsOf('sources: { "../x": { type: stdin } }\nbackends: {}').lines[0] ?? '',
    /got the name "\.\.\/x", expected a name of 1 to 63 letters/,
  )
})

test('all problems are told at once in the order of the file, twenty at most', () => {
  const many = Array.from({ length: 30 }, (_, n) => `  key${n}: 1`).join('\n')
  const { lines } = problemsOf(configText({ extra: `journal:\n${many}\n` }))
  assert.equal(lines.length, 21)
  assert.deepEqual(
    lines.slice(0, 20).map((line) => Number(line.split(':')[0])),
    Array.from({ length: 20 }, (_, n) => n + 6),
  )
  assert.equal(lines[20], 'and 10 more problems')
})

test('no secret is ever in a message, wherever it stands', () => {
  const secret = fc.stringMatching(/^[A-Za-z0-9]{12,30}$/)
  fc.assert(
    fc.property(secret, (value) => {
      const texts = [
        configText({ backend: `type: elasticsearch, url: "ftp://user:${value}@host", password: [${value}]` }),
        configText({ backend: `type: elasticsearch, url: "http://user:${value}@host"` }),
        configText({ backend: `type: elasticsearch, url: 5, api_key: { ${value}: 1 }` }),
        configText({ source: `type: http, token: ${value}` }),
      ]
      for (const text of texts) assert.ok(!problemsOf(text).lines.join('\n').includes(value), text)
      const env = { ES_PASSWORD: value }
      const odd = problemsOf(configText({ backend: 'type: elasticsearch, url: "${ES_PASSWORD}"' }), env)
      assert.ok(!odd.lines.join('\n').includes(value))
    }),
    { numRuns: 30 },
  )
})

test('any text is either taken or refused with a MillraceError, never a crash', () => {
  const line = fc.oneof(
    fc.constantFrom(
      'sources:',
      '  app: { type: file, include: [x] }',
      'backends: {',
      '}',
      '  - a',
      'a: &x [*x]',
      '<<: *x',
      '? [a]',
      '- ${A}',
      'b: ${',
      '!!js x',
      '\t',
    ),
    fc.string({ maxLength: 20 }),
  )
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
      try {
        parse(lines.join('\n'))
      } catch (error) {
        assert.equal((error as Error).name, 'MillraceError', (error as Error).stack)
      }
    }),
    { numRuns: 300 },
  )
})
