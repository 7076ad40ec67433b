// What the scan has learned of earlier records must not change what it says of a later one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FORMAT_LINES, RECORD_WORDS, SLOW, WORD } from '../../kernel/table.js'
import { ALL_TRUST, smallScanner } from './bench.js'

const scanner = smallScanner()
const { u32 } = scanner.kernel
const NO_FIELDS = { status: [], latency: [] }

/** Keys that begin alike, have a meaning, are empty, are escaped, are as long as a shape's may be, and longer. */
const KEYS = [
  'a',
  'ab',
  'abc',
  '',
  'ts',
  'level',
  'msg',
  'caller',
  'service_name',
  'trace_id',
  'k\\u0061',
  'q\\"',
  'sixteen-bytes-16',
  'x'.repeat(31),
  'x'.repeat(32),
  `${'x'.repeat(32)}y`,
  'http.request.method',
]
const VALUES = ['1', '"v"', 'null', '"info"', '{"a":1,"a":2}', '[{"b":{}}]', '"2026-01-01T00:00:00Z"']

const key = fc.constantFrom(...KEYS)
const shape = fc.uniqueArray(key, { maxLength: 8 })
/** Records of few shapes, some with a member more, some with a key twice. */
const records = fc.array(shape, { minLength: 1, maxLength: 6 }).chain((shapes) =>
  fc.array(fc.tuple(fc.constantFrom(...shapes), fc.array(key, { maxLength: 1 }), fc.nat(9), fc.nat(1e6)), {
    minLength: 2,
    maxLength: 80,
  }),
)

function lineOf(keys: readonly string[], more: readonly string[], cut: number, seed: number): string {
  const all = [...(cut === 0 ? keys.slice(0, -1) : keys), ...more]
  const gap = seed % 5 === 0 ? ' ' : ''
  const members = all.map((name, n) => `"${name}"${gap}:${gap}${VALUES[(seed + n) % VALUES.length]}`)
  return `{${members.join(',')}${seed % 17 === 0 ? '' : '}'}`
}

/** All that the table says of an entry; where its runs lie is replaced by what they are. */
function entry(record: number): number[] {
  const words = Array.from({ length: RECORD_WORDS }, (_, n) => scanner.word(record, n))
  const from = (words[WORD.RUNS] ?? 0) / 4
  words[WORD.RUNS] = 0
  return [...words, ...u32.subarray(from, from + 2 * (words[WORD.RUNS_COUNT] ?? 0))]
}

function put(lines: readonly string[]): number {
  const bytes = Buffer.from(`${lines.join('\n')}\n`)
  scanner.input.set(bytes)
  return scanner.inputPtr + bytes.length
}

function scan(from: number, to: number): number[][] {
  const count = scanner.scanLines(from, to, FORMAT_LINES, ALL_TRUST)
  return Array.from({ length: count }, (_, record) => entry(record))
}

test('a record is scanned alike after any others, and as the first', () => {
  fc.assert(
    fc.property(records, (drawn) => {
      const lines = drawn.map(([keys, more, cut, seed]) => lineOf(keys, more, cut, seed))
      const end = put(lines)
      const together = scan(scanner.inputPtr, end)
      let at = scanner.inputPtr
      const alone = lines.flatMap((line) => {
        // New names of fields make the scanner forget.
        scanner.setFields(NO_FIELDS)
        const from = at
        at += Buffer.byteLength(line) + 1
        return scan(from, at)
      })
      assert.deepEqual(together, alone)
    }),
    { numRuns: 400 },
  )
})

test('a key that comes twice is noticed although all keys before it came as expected', () => {
  scanner.setFields(NO_FIELDS)
  const usual = '{"a":1,"b":2,"c":3}'
  const lines = [...Array<string>(20).fill(usual), '{"a":1,"b":2,"c":3,"b":4}', '{"a":1,"a":2}', usual]
  put(lines)
  const count = scanner.scanLines(
    scanner.inputPtr,
    scanner.inputPtr + lines.join('\n').length,
    FORMAT_LINES,
    ALL_TRUST,
  )
  assert.equal(count, lines.length)
  const reasons = lines.map((_, n) => scanner.word(n, WORD.SLOW_REASON))
  assert.deepEqual(reasons.slice(0, 20), Array<number>(20).fill(0))
  assert.deepEqual(reasons.slice(20), [SLOW.DUPLICATE_KEY, SLOW.DUPLICATE_KEY, 0])
})

test('a record without members keeps nothing of the one before it', () => {
  const lines = [
    '{"a":1,"a":2}',
    '{}',
    '{"a":1,"a":2}',
    '{"a":1,"b":2}',
    '{}',
    '{"a":1,"b":2',
    '{}',
    '{"a":1,"b":2}',
  ]
  scanner.setFields(NO_FIELDS)
  const end = put(lines)
  scan(scanner.inputPtr, end)
  const reasons = lines.map((_, n) => scanner.word(n, WORD.SLOW_REASON))
  assert.deepEqual(reasons.slice(0, 4), [SLOW.DUPLICATE_KEY, 0, SLOW.DUPLICATE_KEY, 0])
})

test('a learned key that becomes a configured field is looked for from then on', () => {
  scanner.setFields(NO_FIELDS)
  const end = put(Array<string>(20).fill('{"msg":"m","code":503}'))
  assert.ok(scan(scanner.inputPtr, end).every((words) => words[WORD.STATUS] === 0))
  scanner.setFields({ status: ['code'], latency: [] })
  assert.ok(scan(scanner.inputPtr, end).every((words) => words[WORD.STATUS] === 504))
  scanner.setFields(NO_FIELDS)
})
