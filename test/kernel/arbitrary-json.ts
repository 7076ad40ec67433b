// Generators of JSON objects for the kernel's property tests: known names, double keys, odd white space, deep nesting.
import fc from 'fast-check'
import { epochText, levelText, timeText } from './arbitrary-values.js'

const NAMES = [
  ...'timestamp ts time @timestamp log_level level severity lvl caller source message msg'.split(' '),
  ...'service_name log_type trace_id namespace pod_uid pod_name container_name node_name stream'.split(' '),
  ...'cluster_id sample_rate truncated batch_id rid kubernetes kubernetes.labels.app kubernetes.labels.'.split(
    ' ',
  ),
  ...'timestamp_raw log_level_raw service_name_raw kubernetes.labels kubernetes_labels.x times levels'.split(
    ' ',
  ),
  ...'a_rather_long_key_of_more_than_16_bytes a_rather_long_key_of_more_than_16_bytez'.split(' '),
  ...'a b status ключ 日本'.split(' '),
  '',
  ' ',
]

export const space = fc.constantFrom('', '', '', '', ' ', '  ', '\t', '\r')

const escaped = fc.constantFrom(
  '\\n',
  '\\"',
  '\\\\',
  '\\/',
  '\\b',
  '\\u0041',
  '\\u00e9',
  '\\ud83d\\ude00',
  '\\ud83d',
  '\\u001f',
  '\\u001F',
)
const stringPiece = fc.oneof(
  { weight: 6, arbitrary: fc.string({ maxLength: 24 }).map((text) => JSON.stringify(text).slice(1, -1)) },
  {
    weight: 2,
    arbitrary: fc.string({ unit: 'binary', maxLength: 12 }).map((text) => JSON.stringify(text).slice(1, -1)),
  },
  { weight: 1, arbitrary: escaped },
)
const jsonString = fc.array(stringPiece, { maxLength: 4 }).map((pieces) => `"${pieces.join('')}"`)

const jsonNumber = fc.oneof(
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc.constantFrom('0', '-0', '1e5', '1E+2', '0.5e-3', '-12.50', '123456789012345678901234567890', '1.0'),
)

const typical = fc.oneof(
  timeText.map((text) => `"${text}"`),
  epochText.filter((text) => !/^0\d/.test(text)),
  epochText.map((text) => `"${text}"`),
  levelText.map((text) => `"${text}"`),
  fc.integer({ min: 0, max: 75 }).map(String),
  fc.constantFrom(
    '"app"',
    '"audit"',
    '"metric"',
    '"access"',
    '""',
    '"0af7651916cd43dd8448eb211c80319c"',
    'null',
    'true',
    'false',
  ),
)

export const key = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...NAMES).map((name) => JSON.stringify(name)) },
  { weight: 2, arbitrary: jsonString },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '"m\\u0073g"',
      '"\\u0061"',
      '"a\\/b"',
      '"a\\"b"',
      '"tab\\t"',
      '"\\ud83d\\ude00"',
      '"\\ud800"',
    ),
  },
)

const nested = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    jsonString,
    jsonNumber,
    typical,
    tie('array'),
    tie('object'),
  ),
  array: fc
    .tuple(
      space,
      fc.array(
        fc.tuple(space, tie('value'), space).map((parts) => parts.join('')),
        { maxLength: 4 },
      ),
    )
    .map(([gap, items]) => `[${items.length === 0 ? gap : items.join(',')}]`),
  object: fc
    .tuple(space, fc.array(fc.tuple(space, key, space, space, tie('value'), space), { maxLength: 4 }))
    .map(([gap, members]) => {
      const texts = members.map(([a, name, b, c, value, d]) => `${a}${name}${b}:${c}${String(value)}${d}`)
      return `{${texts.length === 0 ? gap : texts.join(',')}}`
    }),
}))

const member = fc
  .tuple(space, key, space, space, fc.oneof(typical, typical, nested.value as fc.Arbitrary<string>), space)
  .map(([a, name, b, c, value, d]) => `${a}${name}${b}:${c}${String(value)}${d}`)

/** A valid JSON object, often with known names, duplicates and odd white space. */
export const jsonObject = fc
  .tuple(space, fc.array(member, { maxLength: 10 }), space)
  .map(([before, members, after]) => `${before}{${members.join(',')}}${after}`)

const depth = fc
  .tuple(fc.integer({ min: 90, max: 110 }), fc.constantFrom('[', '{"k":', '[{"a":1,"a":2},{"b":', ' [ '))
  .map(([levels, open]) => {
    const close = open
      .replaceAll(/"[^"]*"|[^[{]/g, '')
      .replaceAll('[', ']')
      .replaceAll('{', '}')
    const closers = open.startsWith('[{"a"') ? '}]' : close
    return `{"deep":${open.repeat(levels)}1${closers.repeat(levels)},"z":1}`
  })

export const deepObject = depth
