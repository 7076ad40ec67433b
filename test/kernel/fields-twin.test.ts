// Configured fields: the kernel reads what the twin reads, and records come out byte for byte as without them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type FieldNames, planFields } from '../../kernel/fields.js'
import { FORMAT_LINES } from '../../kernel/table.js'
import { readFields } from '../../kernel/twin-fields.js'
import { content } from './arbitraries.js'
import { fieldNames, namesAndRecords } from './arbitrary-fields.js'
import { compareWithTwin, CONTEXTS, NOW_MS, smallScanner } from './bench.js'

const scanner = smallScanner()
const encoder = new TextEncoder()
const contexts = fc.constantFrom(...CONTEXTS)

function isAllowed(names: FieldNames): boolean {
  try {
    planFields(names)
    return true
  } catch {
    return false
  }
}

function compare(names: FieldNames, contents: readonly Uint8Array[], from: number, context = CONTEXTS[0]) {
  assert.ok(context !== undefined)
  if (scanner.needsReset()) {
    scanner.beginFrame()
    scanner.reset()
  }
  scanner.setFields(names)
  let at = from
  for (const bytes of contents) {
    scanner.input.set(bytes, at)
    at += bytes.length
    scanner.input[at++] = 10
  }
  const [start, end] = [scanner.inputPtr + from, scanner.inputPtr + at]
  assert.equal(scanner.scanLines(start, end, FORMAT_LINES, context.trust), contents.length)
  const meta = { stderr: false, nowMs: NOW_MS, fields: names }
  compareWithTwin(
    scanner,
    contents.length,
    context,
    contents.map((bytes) => ({ content: bytes, meta })),
  )
}

test('status and latency of records with such members are what the twin reads', () => {
  let found = 0
  const property = fc.property(
    namesAndRecords.filter(([names]) => isAllowed(names)),
    fc.nat(64),
    contexts,
    ([names, records], from, context) => {
      const contents = records.map((record) => encoder.encode(record))
      compare(names, contents, from, context)
      records.forEach((_, n) => {
        const { status, latencyMs } = scanner.fieldsOf(n)
        if (status !== undefined && latencyMs !== undefined) found++
      })
    },
  )
  fc.assert(property, { numRuns: 150 })
  assert.ok(found > 10, `only ${found} records have both: the generator misses its aim`)
})

test('records of every other sort come out as without configured fields', () => {
  const property = fc.property(
    fieldNames.filter(isAllowed),
    fc.array(content, { minLength: 1, maxLength: 8 }),
    fc.nat(64),
    contexts,
    (names, contents, from, context) => compare(names, contents, from, context),
  )
  fc.assert(property, { numRuns: 150 })
})

test('a latency differs from the number that JSON.parse reads by no more than its fifteenth digit', () => {
  const property = fc.property(fc.double({ min: 1e-3, max: 1e8, noNaN: true }), (value) => {
    const raw = JSON.stringify(value)
    const names = { status: [], latency: [{ path: 'd', unit: 'ms' as const }] }
    const member = { key: 'd', text: `"d":${raw}`, value: raw }
    const { latencyMs = Number.NaN } = readFields([member], names)
    assert.ok(Math.abs(latencyMs - value) <= value * 1e-14, `${raw} is read as ${latencyMs}`)
  })
  fc.assert(property, { numRuns: 2000 })
})

test('braces, quotes and names inside of strings do not mislead the look into an object', () => {
  const pieces = [
    '"',
    '\\',
    '{',
    '}',
    '[',
    ']',
    '|',
    ':',
    ',',
    's',
    'status',
    '"status":5',
    '7',
    ' ',
    'x'.repeat(15),
  ]
  const tricky = fc.array(fc.constantFrom(...pieces), { maxLength: 6 }).map((parts) => parts.join(''))
  const value = fc.oneof(tricky, fc.nat(999), fc.constant(null), fc.array(fc.nat(9), { maxLength: 2 }))
  const key = fc.oneof(tricky, fc.constantFrom('s', 'ss', 'st', 'method', 'time'))
  const http = fc.array(fc.tuple(key, value), { maxLength: 6 }).chain((members) =>
    fc.tuple(fc.nat(members.length), fc.nat(999), fc.boolean()).map(([at, status, has]) => {
      const all = has ? members.toSpliced(at, 0, ['status', status]) : members
      return Object.fromEntries(all.map(([name, one]) => [name === '__proto__' ? 'p' : name, one]))
    }),
  )
  const names: FieldNames = { status: ['http.status'], latency: [{ path: 'http.time', unit: 'ms' }] }
  const onlyStatus: FieldNames = { ...names, latency: [] }
  const property = fc.property(
    http,
    fc.nat(64),
    fc.constantFrom(0, 1),
    fc.boolean(),
    (object, from, indent, both) => {
      // Indented, then on one line again: white space around every token.
      const text = JSON.stringify({ http: object }, undefined, indent).replaceAll('\n', ' ')
      compare(both ? names : onlyStatus, [encoder.encode(text)], from)
      const isStatus = typeof object['status'] === 'number'
      assert.equal(scanner.fieldsOf(0).status, isStatus ? object['status'] : statusText(object['status']))
    },
  )
  fc.assert(property, { numRuns: 600 })
})

function statusText(value: unknown): number | undefined {
  return typeof value === 'string' && /^\d{1,3}$/.test(value) ? Number(value) : undefined
}
