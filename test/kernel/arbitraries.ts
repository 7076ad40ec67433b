// Generators of log lines for the kernel's property tests: JSON of all sorts, damaged JSON, text, CRI prefixes, invalid UTF-8.
import fc from 'fast-check'

const NAMES = [
  ...['timestamp', 'ts', 'time', '@timestamp', 'log_level', 'level', 'severity', 'lvl', 'caller', 'source', 'message', 'msg'],
  ...['service_name', 'log_type', 'trace_id', 'namespace', 'pod_uid', 'pod_name', 'container_name', 'node_name', 'stream'],
  ...['cluster_id', 'sample_rate', 'truncated', 'batch_id', 'rid', 'kubernetes', 'kubernetes.labels.app', 'kubernetes.labels.'],
  ...['timestamp_raw', 'log_level_raw', 'service_name_raw', 'kubernetes.labels', 'kubernetes_labels.x', 'times', 'levels'],
  ...['a', 'b', '', ' ', 'status', 'a_rather_long_key_of_more_than_16_bytes', 'a_rather_long_key_of_more_than_16_bytez', 'ключ', '日本'],
]

export const space = fc.constantFrom('', '', '', '', ' ', '  ', '\t', '\r')

const escaped = fc.constantFrom('\\n', '\\"', '\\\\', '\\/', '\\b', '\\u0041', '\\u00e9', '\\ud83d\\ude00', '\\ud83d', '\\u001f', '\\u001F')
const stringPiece = fc.oneof(
  { weight: 6, arbitrary: fc.string({ maxLength: 24 }).map((text) => JSON.stringify(text).slice(1, -1)) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }).map((text) => JSON.stringify(text).slice(1, -1)) },
  { weight: 1, arbitrary: escaped },
)
const jsonString = fc.array(stringPiece, { maxLength: 4 }).map((pieces) => `"${pieces.join('')}"`)

const jsonNumber = fc.oneof(
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc.constantFrom('0', '-0', '1e5', '1E+2', '0.5e-3', '-12.50', '123456789012345678901234567890', '1.0'),
)

const two = (max: number) => fc.integer({ min: 0, max }).map((n) => String(n).padStart(2, '0'))
const date = fc
  .tuple(fc.integer({ min: 1968, max: 2263 }), two(13), two(32), fc.constantFrom('T', 'T', 'T', 't', ' ', '_'), two(24), two(60), two(61))
  .map(([y, mo, d, t, h, mi, s]) => `${y}-${mo}-${d}${t}${h}:${mi}:${s}`)
const niceDate = fc
  .date({ min: new Date(0), max: new Date('2261-12-31T23:59:59Z'), noInvalidDate: true })
  .map((at) => at.toISOString().slice(0, 19))
const fraction = fc.oneof(
  fc.constant(''),
  fc.tuple(fc.constantFrom('.', '.', ','), fc.stringMatching(/^[0-9]{1,12}$/)).map(([mark, digits]) => mark + digits),
  fc.constantFrom('.', '.x'),
)
const zone = fc.oneof(
  fc.constantFrom('Z', 'Z', 'Z', 'z', '', ' Z', '+01:00', '-0330', '+05', ' +0000', '+24:00', '+01:60', '+1', 'UTC', ' '),
  fc.tuple(fc.constantFrom('+', '-'), two(25), two(61)).map(([sign, h, m]) => `${sign}${h}:${m}`),
)
export const timeText = fc
  .tuple(fc.oneof({ weight: 3, arbitrary: niceDate }, { weight: 2, arbitrary: date }), fraction, zone)
  .map((parts) => parts.join(''))
export const epochText = fc.oneof(
  fc.bigInt({ min: 0n, max: 10n ** 20n }).map(String),
  fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 1, max: 99 })).map(([n, m]) => `${m}${'0'.repeat(n)}`),
  fc
    .tuple(fc.bigInt({ min: 0n, max: 10n ** 19n }), fc.stringMatching(/^[0-9]{1,12}$/))
    .map(([whole, rest]) => `${whole}.${rest}`),
)

export const levelText = fc.oneof(
  fc.constantFrom('trace', 'TRC', 'Verbose', 'debug', 'DBG', 'info', 'INFO', 'Information', 'informational', 'notice', 'log'),
  fc.constantFrom('warn', 'WARNING', 'wrn', 'error', 'ERR', 'eror', 'fatal', 'CRITICAL', 'crit', 'alert', 'emerg', 'emergency'),
  fc.constantFrom('panic', 'dpanic', 'severe', 'I', 'w', 'e', 'F', 'x', 'infos', 'warnin', 'emergencx', 'informatiox', '30', '7', '07', ''),
  fc.integer({ min: 0, max: 110 }).map(String),
)

const typical = fc.oneof(
  timeText.map((text) => `"${text}"`),
  epochText.filter((text) => !/^0\d/.test(text)),
  epochText.map((text) => `"${text}"`),
  levelText.map((text) => `"${text}"`),
  fc.integer({ min: 0, max: 75 }).map(String),
  fc.constantFrom('"app"', '"audit"', '"metric"', '"access"', '""', '"0af7651916cd43dd8448eb211c80319c"', 'null', 'true', 'false'),
)

export const key = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...NAMES).map((name) => JSON.stringify(name)) },
  { weight: 2, arbitrary: jsonString },
  { weight: 1, arbitrary: fc.constantFrom('"m\\u0073g"', '"\\u0061"', '"a\\/b"', '"a\\"b"', '"tab\\t"', '"\\ud83d\\ude00"', '"\\ud800"') },
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
    .tuple(space, fc.array(fc.tuple(space, tie('value'), space).map((parts) => parts.join('')), { maxLength: 4 }))
    .map(([gap, items]) => `[${items.length === 0 ? gap : items.join(',')}]`),
  object: fc
    .tuple(space, fc.array(fc.tuple(space, key, space, space, tie('value'), space), { maxLength: 4 }))
    .map(([gap, members]) => {
      const texts = members.map(([a, name, b, c, value, d]) => `${a}${name}${b}:${c}${value}${d}`)
      return `{${texts.length === 0 ? gap : texts.join(',')}}`
    }),
}))

const member = fc
  .tuple(space, key, space, space, fc.oneof(typical, typical, nested.value as fc.Arbitrary<string>), space)
  .map(([a, name, b, c, value, d]) => `${a}${name}${b}:${c}${value}${d}`)

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

const text = fc.oneof(
  fc.string({ maxLength: 120 }),
  fc.string({ unit: 'binary', maxLength: 60 }),
  levelText.chain((level) =>
    fc.constantFrom(
      ...[`level=${level} msg=x`, `time=now lvl="${level}" x`, `?level=${level}`, `a=1 severity=${level},b`, `log_level=${level}`, `xlevel=${level}`],
      ...[`[${level}] text`, `${level}: text`, `${level} text`, `2026-11-23 10:00:00,123 ${level} x`, `${level}:root:text`, `<${level}>`],
      ...[`a b c d ${level} e`, `a b c d e ${level} f`, `\u001b[31m${level}\u001b[0m text`, `[\u001b[1;32m${level}\u001b[0m] x`, `(${level})`],
      ...[`${'x'.repeat(90)} ${level} y`, `${'x'.repeat(97)} ${level} y`, `${' '.repeat(500)}level=${level}`, `${' '.repeat(510)}level=${level}`],
    ),
  ),
  fc.constantFrom('I1123 10:00:00.123456 1 x.go:1] a', 'E1123 10:00:00.123456', 'W112x 10:00:00.123456', 'F0101 99:99:99.000000z'),
)

/** Content of a record as bytes: the mix that the twin is compared on. It may hold \r, never \n. */
const contentText = fc.oneof(
  { weight: 8, arbitrary: jsonObject },
  { weight: 4, arbitrary: text },
  { weight: 1, arbitrary: deepObject },
  { weight: 1, arbitrary: fc.json({ maxDepth: 3 }) },
)

const encoder = new TextEncoder()

function damage(bytes: Uint8Array, edits: readonly (readonly [number, number, number])[]): Uint8Array {
  const out = Array.from(bytes)
  for (const [where, value, kind] of edits) {
    const at = out.length === 0 ? 0 : where % out.length
    if (kind === 0) out.splice(at, 1)
    else if (kind === 1) out.splice(at, 0, value)
    else if (kind === 2) out.length = at
    else out[at] = value
  }
  return Uint8Array.from(out)
}

const edit = fc.tuple(
  fc.nat(5000),
  fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('"\\{}[]:,0e-.\t\r'))),
  fc.nat(3),
)
const sound = contentText.map((content) => encoder.encode(content))
export const content = fc
  .oneof(
    { weight: 6, arbitrary: sound },
    { weight: 3, arbitrary: fc.tuple(sound, fc.array(edit, { minLength: 1, maxLength: 3 })).map(([bytes, edits]) => damage(bytes, edits)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 80 }) },
  )
  .map((bytes) => bytes.filter((byte) => byte !== 10))

const criPrefix = fc
  .tuple(
    fc.oneof({ weight: 4, arbitrary: niceDate.map((at) => `${at}.123456789Z`) }, { weight: 2, arbitrary: timeText }),
    fc.constantFrom(' ', ' ', ' ', ' ', '  '),
    fc.constantFrom('stdout', 'stdout', 'stderr', 'stdin'),
    fc.constantFrom(' F ', ' F ', ' F ', ' F:more ', ' P ', ' F', ' X ', ' ', ' F:'),
  )
  .map((parts) => parts.join(''))

export const criLine = fc
  .tuple(criPrefix, content)
  .map(([prefix, bytes]) => Uint8Array.from([...encoder.encode(prefix), ...bytes]))
