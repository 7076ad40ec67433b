// The frame checksum against the published check values and a bit-by-bit reference, at every length and alignment.
import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { createKernel } from '../../kernel/kernel.js'

const kernel = createKernel({ memoryBytes: 6 * 1024 * 1024 })
const ptr = kernel.alloc(4096)

function reference(bytes: Uint8Array, seed = 0): number {
  let crc = ~seed
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  }
  return ~crc >>> 0
}

function crc32c(bytes: Uint8Array, seed = 0, shift = 0): number {
  kernel.u8.set(bytes, ptr + shift)
  return kernel.fn.crc32c(ptr + shift, bytes.length, seed) >>> 0
}

test('the check values of RFC 3720 appendix B.4 come out', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa)
  assert.equal(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43)
  assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e)
  assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => 31 - i)), 0x113fdb5c)
})

test('every length, alignment and split gives the same checksum as the reference', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(15), fc.nat(300), (bytes, shift, split) => {
      const expected = reference(bytes)
      assert.equal(crc32c(bytes, 0, shift), expected)
      const at = Math.min(split, bytes.length)
      assert.equal(crc32c(bytes.subarray(at), crc32c(bytes.subarray(0, at))), expected)
    }),
    { numRuns: 400 },
  )
})
