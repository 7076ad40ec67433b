// Generators of configured field names, and of records that have members by those names with values of every sort.
import fc from 'fast-check'
import type { FieldNames } from '../../kernel/fields.js'
import { space } from './arbitrary-json.js'

/** Enough short names that several share an entry of the kernel's hash table, with each other and with the known ones. */
const NAMES = [
  ...'status status_code code http response res rt duration duration_ms latency_ms elapsed took s t'.split(
    ' ',
  ),
  ...'http.status http.status_code http.response.status_code response.time res.statusCode a.b a.b.c'.split(
    ' ',
  ),
  ...'a b c x y z aa bb cc dd ee ff gg hh ii jj kk ll mm nn oo pp qq rr ss tt uu vv ww xx yy zz'.split(' '),
  ...'statuz http_ sixteen_bytes_ab seventeen_bytes_a seventeen_bytes_b eight_by'.split(' '),
  ...'a_name_of_more_than_thirty_two_bytes a.name.of.more.than.thirty.two.bytes kubernetes_x timing'.split(
    ' ',
  ),
  'dauer_größe',
  'q"uote',
  'tab\tkey',
  '日本.状態',
  'a..b',
  '.a',
  'a.',
  '..',
  ' ',
]

const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...NAMES) },
  { weight: 1, arbitrary: fc.string({ minLength: 1, maxLength: 20 }) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom(...NAMES)).map((parts) => parts.join('.')),
  },
)
const unit = fc.constantFrom('ns', 'us', 'ms', 's')

export const fieldNames: fc.Arbitrary<FieldNames> = fc.record({
  status: fc.array(name, { maxLength: 16 }),
  latency: fc.array(fc.record({ path: name, unit }), { maxLength: 16 }),
})

const number = fc.oneof(
  fc.integer({ min: 0, max: 1200 }).map(String),
  fc.double({ min: 0, max: 1e6, noNaN: true }).map((value) => JSON.stringify(value)),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc
    .tuple(
      fc.bigInt({ min: 0n, max: 10n ** 30n }),
      fc.stringMatching(/^(\.\d{1,25})?$/),
      fc.integer({ min: -60, max: 60 }),
      fc.constantFrom('e', 'E', 'e+'),
    )
    .map(([whole, fraction, power, e]) => `${whole}${fraction}${power < 0 ? e[0] : e}${power}`),
  fc.constantFrom(
    ...'0 -0 0.0 0e0 200 500 999 1000 -1 -200 200.0 2e2 1e999 1e-999 0.000000000000000000000000012345'.split(
      ' ',
    ),
    ...'1e99999999999999999999 1e-99999999999999999999 0e99999999999 123456789012345678901234567890'.split(
      ' ',
    ),
  ),
)
const text = fc.oneof(
  fc.integer({ min: 0, max: 1200 }).map((value) => `"${value}"`),
  fc.constantFrom(
    '""',
    '"200"',
    '"007"',
    '"0200"',
    '"2x0"',
    '"20\\u0030"',
    '" 200"',
    '"-1"',
    '"ok"',
    '"5.0"',
  ),
  fc.string({ maxLength: 40 }).map((value) => JSON.stringify(value)),
)
const scalar = fc.oneof(
  { weight: 4, arbitrary: number },
  { weight: 2, arbitrary: text },
  { weight: 1, arbitrary: fc.constantFrom('null', 'true', 'false') },
)

/** The last part of dotted names too: they are looked for inside objects. */
const key = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.oneof(
      name,
      name.map((path) => path.slice(path.indexOf('.') + 1)),
      name.map((path) => path.split('.')[0] ?? ''),
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom('level', 'log_type', 'message', 'trace_id', 'service_name') },
)
const keyText = fc.oneof(
  { weight: 12, arbitrary: key.map((plain) => JSON.stringify(plain)) },
  { weight: 1, arbitrary: fc.constantFrom('"st\\u0061tus"', '"a\\/b"', '"tab\\tkey"', '"q\\"uote"') },
)

const { object } = fc.letrec<{ value: string; array: string; object: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    scalar,
    tie('object'),
    tie('object'),
    tie('array'),
  ),
  array: fc
    .array(fc.tuple(space, tie('value'), space), { maxLength: 3 })
    .map((items) => `[${items.map((parts) => parts.join('')).join(',')}]`),
  object: fc
    .tuple(space, fc.array(fc.tuple(space, keyText, space, space, tie('value'), space), { maxLength: 8 }))
    .map(([gap, members]) => {
      const texts = members.map(([a, member, b, c, value, d]) => `${a}${member}${b}:${c}${value}${d}`)
      return `{${texts.length === 0 ? gap : texts.join(',')}}`
    }),
}))

/** A record as JSON text. */
export const fieldRecord: fc.Arbitrary<string> = object

/** Names, and records most of which have members by them. */
export const namesAndRecords = fieldNames.chain((names) => {
  const paths = [...names.status, ...names.latency.map(({ path }) => path)]
  const wanted = paths.length === 0 ? fieldRecord : fc.array(member(paths), { maxLength: 6 }).map(wrap)
  return fc.tuple(fc.constant(names), fc.array(fc.oneof(wanted, fieldRecord), { minLength: 1, maxLength: 8 }))
})

/** A member by one of the paths: literal, or inside an object at one of its dots. */
function member(paths: readonly string[]): fc.Arbitrary<string> {
  return fc
    .tuple(
      fc.constantFrom(...paths),
      fc.nat(3),
      fc.oneof(scalar, fc.nat(999).map(String)),
      object,
      fc.boolean(),
    )
    .map(([path, at, value, other, before]) => {
      const dot = path.split('.').slice(0, at).join('.').length
      if (at === 0 || dot === 0 || dot >= path.length - 1) return `${JSON.stringify(path)}:${value}`
      const inner = `${JSON.stringify(path.slice(dot + 1))}:${value}`
      const rest = other.trim().slice(1, -1).trim()
      const parts = rest === '' ? [inner] : before ? [rest, inner] : [inner, rest]
      return `${JSON.stringify(path.slice(0, dot))}:{${parts.join(',')}}`
    })
}

function wrap(members: readonly string[]): string {
  return `{${members.join(',')}}`
}
