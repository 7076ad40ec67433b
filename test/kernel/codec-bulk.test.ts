// The Elasticsearch bulk body against a plain encoder: every record once, under its id, with the batch id, whatever the room.
import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { bulkBytesMax, createBulkCodec } from '../../kernel/codec.js'
import { createKernel } from '../../kernel/kernel.js'
import type { TestRecord } from './codec-frame.js'
import { layFrame, recordsArbitrary } from './codec-frame.js'

const OUT_BYTES = 200_000
const GUARD = 0xa5
const kernel = createKernel({ memoryBytes: 8 * 1024 * 1024 })
const bulk = createBulkCodec(kernel)
const framePtr = kernel.alloc(100_000)
const outPtr = kernel.alloc(OUT_BYTES + 256)

function reference(records: readonly TestRecord[], action: string, tail: string): string[] {
  return records.map(({ json }, n) => `${action}${n}"}}\n${json.slice(0, -1)}${tail}\n`)
}

/** Encodes all records with `room` bytes an output, as often as it takes. */
function encode(records: readonly TestRecord[], action: string, tail: string, room: number): string[] {
  bulk.begin(layFrame(kernel, framePtr, records), action, tail)
  const parts: string[] = []
  for (let from = 0; from < records.length; ) {
    kernel.u8.fill(GUARD, outPtr, outPtr + room + 256)
    const next = bulk.append(from, records.length, outPtr, outPtr + room)
    assert.ok(
      kernel.u8.subarray(outPtr + room, outPtr + room + 256).every((byte) => byte === GUARD),
      'wrote outside',
    )
    assert.ok(next > from, 'no progress though the room holds any item')
    parts.push(Buffer.from(kernel.u8.slice(outPtr, bulk.out())).toString())
    from = next
  }
  return parts
}

const texts = fc.record({
  action: fc.constantFrom(
    '{"create":{"_id":"V1StGXR8_Z5jdHi6B-myT-',
    '{"create":{"_index":"logs-2026-11-23","_id":"x-',
  ),
  tail: fc.constantFrom('}', ',"batch_id":"V1StGXR8_Z5jdHi6B-myT"}'),
})

test('every record is one create item under its number, byte for byte, and each is whole in one output', () => {
  fc.assert(
    fc.property(
      recordsArbitrary,
      texts,
      fc.integer({ min: 1200, max: 20_000 }),
      (records, { action, tail }, room) => {
        const expected = reference(records, action, tail)
        const parts = encode(records, action, tail, room)
        assert.equal(parts.join(''), expected.join(''))
        let n = 0
        for (const part of parts) {
          let whole = ''
          while (whole.length < part.length) whole += expected[n++] ?? assert.fail('an item is cut')
          assert.equal(whole, part)
        }
      },
    ),
    { numRuns: 200 },
  )
})

test('every line of the body is JSON that carries the id, the record and the batch id', () => {
  fc.assert(
    fc.property(recordsArbitrary, (records) => {
      const body = encode(records, '{"create":{"_id":"f-', ',"batch_id":"f"}', OUT_BYTES).join('')
      const lines = body.split('\n').slice(0, -1)
      assert.equal(lines.length, records.length * 2)
      records.forEach(({ json }, n) => {
        assert.deepEqual(JSON.parse(lines[2 * n] ?? ''), { create: { _id: `f-${n}` } })
        const expected = { ...(JSON.parse(json) as object), batch_id: 'f' }
        assert.deepEqual(JSON.parse(lines[2 * n + 1] ?? ''), expected)
      })
    }),
    { numRuns: 50 },
  )
})

test('numbers of every length are written, and a range from the middle too', () => {
  const records = Array.from({ length: 1203 }, (_, n) => ({
    json: `{"n":${n}}`,
    tsNs: 0n,
    stream: 0,
    weight: 1,
  }))
  const frame = layFrame(kernel, framePtr, records)
  const [action, tail] = ['{"create":{"_id":"f-', '}']
  const expected = reference(records, action, tail)
  bulk.begin(frame, action, tail)
  for (const [from, to] of [
    [0, 1203],
    [8, 12],
    [98, 103],
    [998, 1003],
    [1202, 1203],
    [5, 5],
    [1203, 1300],
  ] as const) {
    assert.equal(bulk.append(from, to, outPtr, outPtr + OUT_BYTES), Math.min(to, 1203))
    const body = Buffer.from(kernel.u8.slice(outPtr, bulk.out())).toString()
    assert.equal(body, expected.slice(from, to).join(''))
  }
})

test('an item that does not fit writes nothing, and bulkBytesMax holds a whole frame', () => {
  const records = [{ json: `{"message":"${'x'.repeat(500)}"}`, tsNs: 0n, stream: 0, weight: 1 }]
  const frame = layFrame(kernel, framePtr, records)
  const [action, tail] = ['{"create":{"_id":"f-', ',"batch_id":"f"}']
  bulk.begin(frame, action, tail)
  assert.equal(bulk.append(0, 1, outPtr, outPtr + 500), 0)
  assert.equal(bulk.out(), outPtr)
  const room = bulkBytesMax(frame.ndjsonBytes, 1, action.length, tail.length)
  assert.equal(bulk.append(0, 1, outPtr, outPtr + room), 1)
})

test('a text longer than its region is an error, not an overwrite', () => {
  const frame = layFrame(kernel, framePtr, [])
  assert.throws(() => bulk.begin(frame, 'x'.repeat(4097), ''), { code: 'kernel.text' })
})
