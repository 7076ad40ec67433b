// Generators of whole log lines for the kernel's property tests: JSON, text, damaged bytes, CRI prefixes.
import fc from 'fast-check'
import { deepObject, jsonObject } from './arbitrary-json.js'
import { levelText, niceDate, timeText } from './arbitrary-values.js'

const text = fc.oneof(
  fc.string({ maxLength: 120 }),
  fc.string({ unit: 'binary', maxLength: 60 }),
  levelText.chain((level) =>
    fc.constantFrom(
      `level=${level} msg=x`,
      `time=now lvl="${level}" x`,
      `?level=${level}`,
      `a=1 severity=${level},b`,
      `log_level=${level}`,
      `xlevel=${level}`,
      `[${level}] text`,
      `${level}: text`,
      `${level} text`,
      `2026-11-23 10:00:00,123 ${level} x`,
      `${level}:root:text`,
      `<${level}>`,
      `a b c d ${level} e`,
      `a b c d e ${level} f`,
      `\u001b[31m${level}\u001b[0m text`,
      `[\u001b[1;32m${level}\u001b[0m] x`,
      `(${level})`,
      `${'x'.repeat(90)} ${level} y`,
      `${'x'.repeat(97)} ${level} y`,
      `${' '.repeat(500)}level=${level}`,
      `${' '.repeat(510)}level=${level}`,
    ),
  ),
  fc.constantFrom(
    'I1123 10:00:00.123456 1 x.go:1] a',
    'E1123 10:00:00.123456',
    'W112x 10:00:00.123456',
    'F0101 99:99:99.000000z',
  ),
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
    {
      weight: 3,
      arbitrary: fc
        .tuple(sound, fc.array(edit, { minLength: 1, maxLength: 3 }))
        .map(([bytes, edits]) => damage(bytes, edits)),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 80 }) },
  )
  .map((bytes) => bytes.filter((byte) => byte !== 10))

const criPrefix = fc
  .tuple(
    fc.oneof(
      { weight: 4, arbitrary: niceDate.map((at) => `${at}.123456789Z`) },
      { weight: 2, arbitrary: timeText },
    ),
    fc.constantFrom(' ', ' ', ' ', ' ', '  '),
    fc.constantFrom('stdout', 'stdout', 'stderr', 'stdin'),
    fc.constantFrom(' F ', ' F ', ' F ', ' F:more ', ' P ', ' F', ' X ', ' ', ' F:'),
  )
  .map((parts) => parts.join(''))

export const criLine = fc
  .tuple(criPrefix, content)
  .map(([prefix, bytes]) => Uint8Array.from([...encoder.encode(prefix), ...bytes]))
