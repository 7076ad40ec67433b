// The plain snappy decoder gives back what snappyjs packed, and refuses what is no block instead of reading past its end.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import snappy from 'snappyjs'
import { snappyDecode } from './snappy-decode.js'

const bytesMax = 1_000_000

/** Bytes with repeats near and far, so that every kind of copy occurs. */
const compressible = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 2000 })), {
    maxLength: 12,
  })
  .map((runs) =>
    Buffer.concat(runs.flatMap(([bytes, times]) => Array.from({ length: times }, () => Buffer.from(bytes)))),
  )

test('a block that comes back changed', () => {
  fc.assert(
    fc.property(compressible, (bytes) => {
      assert.ok(snappyDecode(snappy.compress(bytes), bytesMax).equals(bytes))
    }),
    { numRuns: 200 },
  )
})

test('bytes that are no block are decoded to something', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        const output = snappyDecode(bytes, bytesMax)
        assert.ok(output.length <= bytesMax)
      } catch (error) {
        assert.match((error as Error).message, /^snappy: /)
      }
    }),
    { numRuns: 2000 },
  )
})

test('a cut block is decoded to something', () => {
  const packed = snappy.compress(Buffer.from('some text '.repeat(500)))
  for (let length = 0; length < packed.length; length++) {
    assert.throws(() => snappyDecode(packed.subarray(0, length), bytesMax), /^Error: snappy: corrupt input/)
  }
})

test('a block that claims to be huge takes the memory', () => {
  assert.throws(() => snappyDecode(new Uint8Array([0xff, 0xff, 0xff, 0xff, 0x0f, 0]), bytesMax), /too large/)
})
