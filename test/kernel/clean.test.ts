// Cleaning changes what must change and nothing else.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { cleanRecord } from '../../kernel/clean.js'
import { FLAG, FORMAT_LINES, SLOW, WORD } from '../../kernel/table.js'
import { content } from './arbitraries.js'
import { jsonObject } from './arbitrary-json.js'
import { compareWithTwin, CONTEXTS, frameLines, NOW_MS, smallScanner } from './bench.js'

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const text = (bytes: Uint8Array): string => decoder.decode(bytes)
const clean = (line: string): string => text(cleanRecord(encoder.encode(line), 255).bytes)
const [kubernetes] = CONTEXTS
assert.ok(kubernetes !== undefined)

test('the first of two equal keys wins at every level, compared unescaped', () => {
  assert.equal(
    clean('{"a":1,"b":{"x":1 , "\\u0078":2,"y":[{"k":1,"k":{}}]},"\\u0061":3}'),
    '{"a":1,"b":{"x":1,"y":[{"k":1}]}}',
  )
})

test('an untouched value keeps its bytes: numbers, escapes, white space', () => {
  const line = '{"n": 1.50e+07 , "s":"\\u0041\\/" ,"o":{ "p" : [ 1 , 2 ] }, "n":2}'
  assert.equal(clean(line), '{"n": 1.50e+07,"s":"\\u0041\\/","o":{ "p" : [ 1 , 2 ] }}')
})

test('an unreadable canonical value is renamed, and never over a member that is there', () => {
  assert.equal(
    clean('{"timestamp":"soon","level":"loud","service_name":5,"ts":"x"}'),
    '{"timestamp_raw":"soon","log_level_raw":"loud","service_name_raw":5,"ts":"x"}',
  )
  assert.equal(clean('{"timestamp_raw":1,"timestamp":"soon"}'), '{"timestamp_raw":1}')
  assert.equal(clean('{"log_level":"x","level":"y"}'), '{"log_level_raw":"x"}')
})

test('a log type in capitals is not taken for one, and audit records are sampled away', () => {
  assert.equal(clean('{"log_type": "AUDIT","a":1}'), '{"log_type":"audit","a":1}')
  assert.equal(clean('{"log_type":"Metric"}'), '{"log_type":"metric"}')
  assert.equal(clean('{"log_type":"Weird","log_type":"AUDIT"}'), '{"log_type_raw":"Weird"}')
  assert.equal(clean('{"log_type":"audit","log_type":"APP"}'), '{"log_type":"audit"}')
})

test('a container at depth 101 becomes a string of its text', () => {
  const line = `{"a":${'['.repeat(99)}{"k": [1,"x"]}${']'.repeat(99)}}`
  assert.equal(clean(line), `{"a":${'['.repeat(99)}"{\\"k\\": [1,\\"x\\"]}"${']'.repeat(99)}}`)
})

test('invalid UTF-8 becomes U+FFFD, inside JSON too', () => {
  const bytes = Uint8Array.from([...encoder.encode('{"a":"'), 0xff, 0xc3, ...encoder.encode('"}')])
  const cleaned = cleanRecord(bytes, 255)
  assert.deepEqual(
    [cleaned.json, text(cleaned.bytes), cleaned.reasons],
    [true, '{"a":"\ufffd\ufffd"}', SLOW.UTF8],
  )
})

test('cleaning twice is cleaning once, and a record without double keys keeps its values', () => {
  const property = fc.property(jsonObject, (line) => {
    const once = cleanRecord(encoder.encode(line), 255)
    const twice = cleanRecord(once.bytes, 255)
    assert.equal(text(twice.bytes), text(once.bytes))
    assert.equal(twice.dropped, 0)
    if (once.dropped === 0 && (once.reasons & ~SLOW.ESCAPED_KEY) === 0)
      assert.deepEqual(JSON.parse(text(once.bytes)), JSON.parse(line))
  })
  fc.assert(property, { numRuns: 500 })
})

test('what was cleaned scans without being slow', () => {
  const scanner = smallScanner()
  const property = fc.property(content, fc.constantFrom(...CONTEXTS), (bytes, { trust }) => {
    const cleaned = cleanRecord(bytes, trust)
    scanner.input.set(cleaned.bytes)
    scanner.beginSpans()
    scanner.setSpan(0, scanner.inputPtr, scanner.inputPtr + cleaned.bytes.length, FLAG.CLEANED)
    scanner.scanSpans(0, 1, trust)
    assert.equal(scanner.flags(0) & FLAG.SLOW, 0)
    assert.equal((scanner.flags(0) & FLAG.JSON) !== 0, cleaned.json)
    if (scanner.needsReset()) scanner.reset()
  })
  fc.assert(property, { numRuns: 1500 })
})

test('a region that is full stops cleaning between records; emitting them makes room', () => {
  const frameBytes = 1 << 16
  const scanner = smallScanner({ frameBytes })
  const { ptr } = scanner.contexts.render(kubernetes)
  const lines = Array.from({ length: 40 }, (_, n) => `{"n":${n},"a":"${'x'.repeat(4000)}","a":2}`)
  const bytes = encoder.encode(lines.join('\n'))
  scanner.input.set(bytes)
  const count = scanner.scanLines(scanner.inputPtr, scanner.inputPtr + bytes.length, FORMAT_LINES, 255)
  const records: string[] = []
  for (let from = 0; from < count; ) {
    const to = scanner.cleanSlow(from, count, 255)
    assert.ok(to > from)
    scanner.judge(from, to, ptr, NOW_MS, () => 1)
    for (let next = from; next < to; ) {
      scanner.beginFrame()
      next = scanner.emit(next, to, ptr)
      records.push(...frameLines(scanner))
    }
    from = to
  }
  assert.deepEqual(
    records.map((record) => (JSON.parse(record) as { n: number }).n),
    lines.map((_, n) => n),
  )
})

test('a record that is larger than the whole region is cut as text, marked, and still valid UTF-8', () => {
  const scanner = smallScanner({ frameBytes: 1 << 16 })
  const { ptr } = scanner.contexts.render(kubernetes)
  const bytes = new Uint8Array(30_000).fill(0xff)
  scanner.input.set(bytes)
  const count = scanner.scanLines(scanner.inputPtr, scanner.inputPtr + bytes.length, FORMAT_LINES, 255)
  assert.equal(scanner.cleanSlow(0, count, 255), count)
  assert.ok((scanner.flags(0) & FLAG.TRUNCATED) !== 0)
  assert.equal(scanner.word(0, WORD.END) - scanner.word(0, WORD.START), 65_535)
  scanner.judge(0, count, ptr, NOW_MS, () => 1)
})

test('a clean record stays itself', () => {
  const scanner = smallScanner()
  const line = '{"timestamp":"2026-01-01T00:00:00Z","a":1}'
  scanner.input.set(encoder.encode(line))
  scanner.scanLines(scanner.inputPtr, scanner.inputPtr + line.length, FORMAT_LINES, 255)
  compareWithTwin(scanner, 1, kubernetes, [
    { content: encoder.encode(line), meta: { stderr: false, nowMs: NOW_MS } },
  ])
  assert.equal(clean(line), line)
})
