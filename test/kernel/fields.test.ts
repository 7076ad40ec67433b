// Status and latency from configured members: which member counts, what is readable, what is refused.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FIELD_PATHS_MAX, type FieldNames, planFields } from '../../kernel/fields.js'
import type { RecordFields } from '../../kernel/scanner-fields.js'
import { FLAG, FORMAT_LINES, WORD } from '../../kernel/table.js'
import { CONTEXTS, frameLines, NOW_MS, smallScanner } from './bench.js'

const encoder = new TextEncoder()
const scanner = smallScanner()
const [context] = CONTEXTS
assert.ok(context !== undefined)
const { ptr } = scanner.contexts.render(context)

const NAMES: FieldNames = {
  status: ['status', 'status_code', 'http.status', 'http.status_code', 'http.response.status_code'],
  latency: [
    { path: 'latency_ms', unit: 'ms' },
    { path: 'duration', unit: 's' },
    { path: 'timing.ns', unit: 'ns' },
    { path: 'took_us', unit: 'us' },
  ],
}

function scan(lines: readonly string[]): number {
  const bytes = encoder.encode(`${lines.join('\n')}\n`)
  scanner.input.set(bytes)
  const count = scanner.scanLines(scanner.inputPtr, scanner.inputPtr + bytes.length, FORMAT_LINES, 255)
  assert.equal(scanner.cleanSlow(0, count, 255), count)
  return count
}

function read(names: FieldNames, ...lines: string[]): RecordFields[] {
  scanner.setFields(names)
  const count = scan(lines)
  assert.ok(scanner.judge(0, count, ptr, NOW_MS, () => 1))
  return lines.map((_, n) => scanner.fieldsOf(n))
}

function statuses(...values: string[]): (number | undefined)[] {
  return read(NAMES, ...values.map((value) => `{"status":${value}}`)).map(({ status }) => status)
}

function latencies(...values: string[]): (number | undefined)[] {
  return read(NAMES, ...values.map((value) => `{"latency_ms":${value}}`)).map(({ latencyMs }) => latencyMs)
}

test('a status is a whole number below 1000, or a string of at most three digits; anything else is none', () => {
  assert.deepEqual(statuses('0', '7', '200', '999', '"200"', '"007"', '"0"'), [0, 7, 200, 999, 200, 7, 0])
  const numbers = statuses('500.0', '5e2', '5E+2', '0.5e3', '50400e-2', '503.000000000000000001', '1.0')
  assert.deepEqual(numbers, [500, 500, 500, 500, 504, 503, 1])
  const refused =
    '1000 -1 -0 -5e2 200.5 2e3 0.0 1e-99 1e999 12345 null true [200] {"a":200} "" "0200" "2x0" "-1" "20\\u0030" "5.0"'.split(
      ' ',
    )
  assert.deepEqual(
    statuses(...refused),
    refused.map(() => undefined),
  )
})

test('a latency is a number without sign, exact to 15 digits, and held at the longest', () => {
  assert.deepEqual(
    latencies('0', '12', '0.25', '1e3', '1.5E-2', '123456789.5', '0.1', '4.35'),
    [0, 12, 0.25, 1000, 0.015, 123456789.5, 0.1, 4.35],
  )
  assert.deepEqual(
    latencies('1e999', '1e99999999999', '2147483648', '1e-999', '1e-99999999999', '0e99999999999'),
    [2 ** 30, 2 ** 30, 2 ** 30, 0, 0, 0],
  )
  const refused = ['-1', '-0', '"12"', 'null', 'true', '[1]', '{"ms":1}']
  assert.deepEqual(
    latencies(...refused),
    refused.map(() => undefined),
  )
})

test('a latency in another unit is in ms', () => {
  const found = read(NAMES, '{"duration":0.3}', '{"took_us":1234567}', '{"timing":{"ns":1500000}}')
  assert.deepEqual(
    found.map(({ latencyMs }) => latencyMs),
    [300, 1234.567, 1.5],
  )
})

test('the first readable member counts, and one of the root before any inside an object', () => {
  const found = read(
    NAMES,
    '{"status":"active","status_code":503,"http.status":200}',
    '{"http":{"status":404},"http.status":500}',
    '{"http":{"status":"x","method":"GET","status_code":"201","status2":1}}',
    '{"http":{"response.status_code":502,"response":{"status_code":503}}}',
    '{"http.response":{"status_code":504}}',
    '{"http":{"response":{"status_code":503}}}',
    '{"http":{"a":{"status":500},"b":[{"status":501},"}"],"status" : 502 }}',
    '{"http":[{"status":500}]}',
    '{"http":"status"}',
    '{ "http" : { } , "timing" : { "ns" : 2e6 , "x" : "\\"}" } , "status" : 1 }',
  )
  assert.deepEqual(
    found.map(({ status }) => status),
    [503, 500, 201, 502, 504, undefined, 502, undefined, undefined, 1],
  )
  assert.equal(found[9]?.latencyMs, 2)
})

test('a record that has to be cleaned is read as it comes out', () => {
  const [doubled, escaped, nested] = read(
    NAMES,
    '{"status":500,"status":200,"duration":1,"duration":2}',
    '{"st\\u0061tus":418,"x":"\\ud800"}',
    '{"http":{"status":"no","status":500,"st\\u0061tus_code":501}}',
  )
  assert.deepEqual(doubled, { status: 500, latencyMs: 1000 })
  assert.deepEqual(escaped, { status: 418, latencyMs: undefined })
  assert.deepEqual(nested, { status: 501, latencyMs: undefined })
})

test('text has no fields, nor has JSON that its source says is text', () => {
  const found = read(NAMES, 'status=500 latency_ms=3', '{"status":500', '["status",500]')
  assert.deepEqual(
    found,
    found.map(() => ({ status: undefined, latencyMs: undefined })),
  )
  const count = scan(['{"status":500,"latency_ms":1}'])
  scanner.setWord(0, WORD.FLAGS, scanner.flags(0) & ~FLAG.JSON)
  scanner.takeWindow(0)
  scanner.judge(0, count, ptr, NOW_MS, () => 1)
  assert.deepEqual(scanner.takeWindow(0), { statusErrors: 0, latency: [] })
})

test('names of every length and with every sign are found, and their like are not', () => {
  const names = ['x', 'ü', 'a"b', 'tab\tx', 'exactly_16_bytes', 'exactly_17_bytes_', 'n'.repeat(200)]
  const wanted: FieldNames = { status: names, latency: [] }
  const record = (name: string): string => JSON.stringify({ [name]: 500 })
  assert.deepEqual(
    read(wanted, ...names.map(record)).map(({ status }) => status),
    names.map(() => 500),
  )
  const likes = ['y', 'xx', '', 'u', 'a"', 'exactly_16_byteS', 'exactly_17_bytez_', 'n'.repeat(199)]
  assert.deepEqual(
    read(wanted, ...likes.map(record)).map(({ status }) => status),
    likes.map(() => undefined),
  )
})

test('as many names as there may be, all of them found, beside the known ones', () => {
  const names = Array.from({ length: FIELD_PATHS_MAX }, (_, n) => `field${n}`)
  const wanted: FieldNames = { status: names.map((name) => `in.${name}`), latency: [] }
  const found = read(
    wanted,
    ...names.map((name, n) => `{"level":"error","in.${name}":${n}}`),
    ...names.map((name, n) => `{"msg":"m","in":{"x":1,"${name}":${n}}}`),
  )
  const numbers = names.map((_, n) => n)
  assert.deepEqual(
    found.map(({ status }) => status),
    [...numbers, ...numbers],
  )
  assert.equal(scanner.word(0, WORD.LEVEL), 5)
  scanner.beginFrame()
  scanner.emit(64, 65, ptr)
  assert.match(frameLines(scanner)[0] ?? '', /"message":"m","in":\{"x":1,"field0":0\}\}$/)
})

test('the fifth object of a record that might hold a field is not looked into', () => {
  const wanted: FieldNames = { status: ['a.s', 'b.s', 'c.s', 'd.s', 'e.s'], latency: [] }
  const found = read(
    wanted,
    '{"a":{},"b":{},"c":{},"d":{"s":1},"e":{"s":2}}',
    '{"a":{},"b":{},"c":{},"d":{},"e":{"s":2}}',
    '{"c":{"s":3},"a":{"s":4}}',
  )
  assert.deepEqual(
    found.map(({ status }) => status),
    [1, undefined, 3],
  )
})

test('names that change between scan and judge leave no record half read', () => {
  scanner.setFields({ status: ['a.b', 's'], latency: [{ path: 'l', unit: 's' }] })
  const count = scan(['{"a":{"b":500,"c":1}}', '{"s":1,"l":2}'])
  scanner.setFields({ status: ['x.c'], latency: [{ path: 'a.c', unit: 'ms' }] })
  scanner.judge(0, count, ptr, NOW_MS, () => 1)
  assert.deepEqual(scanner.fieldsOf(0), { status: undefined, latencyMs: undefined })
  assert.deepEqual(scanner.fieldsOf(1), { status: 1, latencyMs: 2000 })
})

test('a line that turns out to be no JSON after its fields has none', () => {
  const found = read(
    NAMES,
    '{"status":500,"http":{"status":500},"duration":1',
    '{"http":{"status":5x}}',
    '{}',
  )
  assert.deepEqual(
    found,
    found.map(() => ({ status: undefined, latencyMs: undefined })),
  )
})

test('no names: members by the earlier ones are nothing special any more', () => {
  read(NAMES, '{"status":500}')
  assert.deepEqual(read({ status: [], latency: [] }, '{"status":500,"http":{"status":1}}'), [
    { status: undefined, latencyMs: undefined },
  ])
})

test('a name with a meaning, an empty one, and one too many are refused; the names before stay', () => {
  const refuse = (fields: Partial<FieldNames>, text: RegExp): void => {
    const names = { status: [], latency: [], ...fields }
    assert.throws(() => planFields(names), { code: 'kernel.fields', message: text })
    assert.throws(() => scanner.setFields(names), { code: 'kernel.fields' })
  }
  scanner.setFields(NAMES)
  refuse({ status: ['level'] }, /level has a meaning of its own \(log_level\)/)
  refuse({ status: ['message.status'] }, /message has a meaning/)
  refuse({ latency: [{ path: 'kubernetes.labels.x', unit: 'ms' }] }, /kubernetes.labels.x has a meaning/)
  refuse({ status: [''] }, /empty/)
  refuse({ status: ['x'.repeat(257)] }, /longer than 256 bytes/)
  refuse({ status: Array.from({ length: FIELD_PATHS_MAX + 1 }, (_, n) => `f${n}`) }, /65 status and latency/)
  refuse({ status: Array.from({ length: 64 }, (_, n) => `p${n}.s`) }, /64 names before dots/)
  refuse({ status: Array.from({ length: 3 }, (_, n) => `${n}${'.a'.repeat(100)}`) }, /300 after/)
  const count = scan(['{"status":500}'])
  scanner.judge(0, count, ptr, NOW_MS, () => 1)
  assert.equal(scanner.fieldsOf(0).status, 500)
})
