// Splitting and scanning: limits of table and runs, lines without an end, depth, many keys, UTF-8.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FLAG, FORMAT_CRI, FORMAT_LINES, SLOW, WORD } from '../../kernel/table.js'
import { levelOfValue } from '../../kernel/twin-level.js'
import { compareWithTwin, CONTEXTS, NOW_MS, smallScanner } from './bench.js'

const encoder = new TextEncoder()
const [kubernetes] = CONTEXTS
assert.ok(kubernetes !== undefined)
const scanner = smallScanner()
const meta = { stderr: false, nowMs: NOW_MS }

function scan(text: string | Uint8Array, format = FORMAT_LINES): number {
  const bytes = typeof text === 'string' ? encoder.encode(text) : text
  scanner.input.set(bytes)
  return scanner.scanLines(scanner.inputPtr, scanner.inputPtr + bytes.length, format, 255)
}

test('one carriage return is taken off a line, also when the line must be cleaned', () => {
  const lines = [[0x61, 13, 13], [0xff, 13, 13], [0xff, 13], [13]]
  const bytes = Uint8Array.from(lines.flatMap((line) => [...line, 10]))
  assert.equal(scan(bytes), lines.length)
  const expected = lines.map((line) => ({ content: Uint8Array.from(line), meta }))
  compareWithTwin(scanner, lines.length, kubernetes, expected)
  assert.equal(scanner.text(1, WORD.START), '\ufffd\r')
})

test('a full table stops at a line start and the rest is scanned next', () => {
  const lines = Array.from({ length: 1300 }, (_, n) => `line ${n}`)
  const bytes = encoder.encode(lines.join('\n'))
  scanner.input.set(bytes)
  const end = scanner.inputPtr + bytes.length
  const seen: (string | undefined)[] = []
  for (let at = scanner.inputPtr; at < end; at = scanner.resume()) {
    const count = scanner.scanLines(at, end, FORMAT_LINES, 255)
    for (let n = 0; n < count; n++) seen.push(scanner.text(n, WORD.START))
  }
  assert.deepEqual(seen, lines)
})

test('runs that fill up stop the scan before a record, never inside one', () => {
  const member = (n: number): string => `"k${n}": ${n}`
  const line = `{${Array.from({ length: 250 }, (_, n) => member(n)).join(', ')}}`
  const bytes = encoder.encode(`${line}\n`.repeat(200))
  scanner.input.set(bytes)
  const end = scanner.inputPtr + bytes.length
  let records = 0
  let scans = 0
  for (let at = scanner.inputPtr; at < end; at = scanner.resume()) {
    const count = scanner.scanLines(at, end, FORMAT_LINES, 255)
    assert.ok(count > 0)
    for (let n = 0; n < count; n++) assert.equal(scanner.word(n, WORD.RUNS_COUNT), 250)
    records += count
    scans++
  }
  assert.equal(records, 200)
  assert.ok(scans > 1)
})

test('a last line without its newline is scanned, and nothing behind it', () => {
  const text = '{"a":1}\n{"b":2'
  scanner.input.set(encoder.encode(`${text}}\n{"c":3}`))
  const count = scanner.scanLines(scanner.inputPtr, scanner.inputPtr + text.length, FORMAT_LINES, 255)
  assert.equal(count, 2)
  assert.deepEqual([scanner.flags(0) & FLAG.JSON, scanner.flags(1) & FLAG.JSON], [1, 0])
  assert.equal(scanner.text(1, WORD.START), '{"b":2')
})

test('empty lines are records with empty content', () => {
  assert.equal(scan('\n\r\n\nx\n'), 4)
  assert.deepEqual(
    [0, 1, 2, 3].map((n) => scanner.text(n, WORD.START)),
    ['', '', '', 'x'],
  )
})

test('a CRI line keeps its line bounds, time, stream and partial mark', () => {
  const lines = [
    '2026-11-23T10:00:00.123456789Z stderr P abc',
    '2026-11-23T11:00:00+01:00 stdout F',
    '2026-11-23T10:00:00Z stdout F ',
    'no prefix',
  ]
  assert.equal(scan(`${lines.join('\n')}\n`, FORMAT_CRI), 4)
  const flags = [0, 1, 2, 3].map((n) => scanner.flags(n))
  const { PARTIAL, STDERR, HAS_CRI_TIME, CRI_MALFORMED } = FLAG
  assert.deepEqual(flags, [PARTIAL | STDERR | HAS_CRI_TIME, HAS_CRI_TIME, HAS_CRI_TIME, CRI_MALFORMED])
  assert.deepEqual(
    [0, 1, 2, 3].map((n) => scanner.text(n, WORD.START)),
    ['abc', '', '', 'no prefix'],
  )
  const second = BigInt(Date.parse('2026-11-23T10:00:00Z')) * 1_000_000n
  assert.deepEqual(
    [0, 1, 2].map((n) => scanner.tsNs(n)),
    [second + 123456789n, second, second],
  )
  assert.deepEqual(
    [0, 1, 2].map((n) => scanner.word(n, WORD.TS_DIGITS)),
    [9, 0, 0],
  )
  let at = scanner.inputPtr
  lines.forEach((line, n) => {
    assert.deepEqual(
      [scanner.word(n, WORD.LINE_START), scanner.word(n, WORD.LINE_END)],
      [at, at + line.length + 1],
    )
    at += line.length + 1
  })
})

test('depth 100 is taken, depth 101 is cleaned, depth 10,001 is text', () => {
  const nested = (depth: number): string => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`
  const state = (depth: number): number[] => {
    assert.equal(scan(`${nested(depth)}\n`), 1)
    return [scanner.flags(0) & (FLAG.JSON | FLAG.SLOW), scanner.word(0, WORD.SLOW_REASON)]
  }
  assert.deepEqual(state(100), [FLAG.JSON, 0])
  assert.deepEqual(state(101), [FLAG.JSON | FLAG.SLOW, SLOW.DEPTH])
  assert.deepEqual(state(10_000), [FLAG.JSON | FLAG.SLOW, SLOW.DEPTH])
  assert.deepEqual(state(10_001), [0, 0])
  scan(`${nested(5000)}\n`)
  compareWithTwin(scanner, 1, kubernetes, [{ content: encoder.encode(nested(5000)), meta }])
})

test('more keys than the table bears are checked by cleaning, and found when they are double', () => {
  const line = (count: number, last: string): string =>
    `{${Array.from({ length: count }, (_, n) => `"k${n}":{"v":1}`).join(',')},"${last}":2}`
  for (const text of [
    line(100, 'x'),
    line(300, 'x'),
    line(300, 'k7'),
    line(100, 'k99'),
    line(2500, 'k2499'),
  ]) {
    scan(`${text}\n`)
    compareWithTwin(scanner, 1, kubernetes, [{ content: encoder.encode(text), meta }])
    assert.equal(new Set(Object.keys(JSON.parse(text) as object)).size + 1 >= 101, true)
  }
})

test('keys of equal hash words are told apart', () => {
  const keys = [
    'abcdefgh12345678',
    'abcdefghX12345678',
    'abcdefghXY12345678',
    'abcdefgh12345679',
    'abcdefgh',
    'abcdefg',
    'bcdefgh1',
  ]
  const text = `{${keys.map((key) => `"${key}":1`).join(',')}}`
  scan(`${text}\n`)
  assert.equal(scanner.flags(0) & FLAG.SLOW, 0)
  scan(`{"o":{"aa":1,"b":{"aa":1},"c":[{"aa":1},{"aa":2}]},"aa":3}\n`)
  assert.equal(scanner.flags(0) & FLAG.SLOW, 0)
  scan(`{"o":[{"abcdefghX12345678":1,"abcdefghX12345678":1}]}\n`)
  assert.equal(scanner.word(0, WORD.SLOW_REASON), SLOW.DUPLICATE_KEY)
})

test('UTF-8 is judged as TextDecoder does, at every place in a block', () => {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const isValid = (bytes: Uint8Array): boolean => {
    try {
      decoder.decode(bytes)
      return true
    } catch {
      return false
    }
  }
  const check = (bytes: Uint8Array): void => {
    if (bytes.length === 0) return
    scan(bytes)
    assert.equal((scanner.word(0, WORD.SLOW_REASON) & SLOW.UTF8) === 0, isValid(bytes), String(bytes))
  }
  const edges = [
    0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef,
    0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
  ]
  const padded = (pad: number, bytes: readonly number[]): Uint8Array =>
    Uint8Array.from([...Array<number>(pad).fill(0x61), ...bytes])
  for (const a of edges) for (const b of edges) for (const c of edges) check(padded((a + b) % 17, [a, b, c]))
  const sequence = fc.array(fc.constantFrom(...edges, 0x61), { maxLength: 5 })
  fc.assert(
    fc.property(sequence, fc.nat(40), fc.nat(20), (bytes, pad, after) =>
      check(padded(pad, [...bytes, ...Array<number>(after).fill(0x62)])),
    ),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) =>
      check(encoder.encode(text.replaceAll('\n', ''))),
    ),
  )
})

test('every level word and number is read, in any case, and nothing near it', () => {
  const words =
    'trace trc verbose debug dbg info information informational notice log warn warning wrn error err eror fatal critical crit alert emerg emergency panic dpanic severe t d i w e f'
  const near = words
    .split(' ')
    .flatMap((word) => [
      word,
      word.toUpperCase(),
      `${word}x`,
      word.slice(0, -1),
      `x${word}`,
      word.replace(/^./, (first) => first.toUpperCase()),
    ])
  const numbers = Array.from({ length: 120 }, (_, n) => String(n))
  for (const value of [...near, ...numbers, '', '007', '1.5', '-30']) {
    scan(`{"severity":"${value}"}\n`)
    assert.equal(scanner.word(0, WORD.LEVEL), levelOfValue(value), value)
  }
})

test('memory that runs out is an error that says so', () => {
  assert.throws(() => scanner.kernel.alloc(1 << 30), { code: 'kernel.memory' })
})
