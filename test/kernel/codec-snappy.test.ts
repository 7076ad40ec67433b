// Snappy in the kernel: what it writes others read, what others write it reads, and nothing malformed is taken or leads outside.
import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import snappyjs from 'snappyjs'
import { createKernel } from '../../kernel/kernel.js'
import { createSnappy, SNAPPY_SLACK_BYTES } from '../../kernel/snappy.js'
import { referenceDecompress } from './codec-reference.js'

const INPUT_MAX = 300_000
const kernel = createKernel({ memoryBytes: 8 * 1024 * 1024 })
const snappy = createSnappy(kernel)
const inPtr = kernel.alloc(INPUT_MAX + SNAPPY_SLACK_BYTES)
const outPtr = kernel.alloc(snappy.maxLen(INPUT_MAX) + 4096)
const backPtr = kernel.alloc(INPUT_MAX + 4096)
const GUARD = 0xa5

function compress(bytes: Uint8Array): Uint8Array {
  kernel.u8.set(bytes, inPtr)
  const room = snappy.maxLen(bytes.length)
  kernel.u8.fill(GUARD, outPtr + room, outPtr + room + 256)
  const length = snappy.compressAt(inPtr, bytes.length, outPtr)
  assert.ok(length <= room - 63, `${length} of ${room}`)
  assert.ok(kernel.u8.subarray(outPtr + room, outPtr + room + 256).every((byte) => byte === GUARD))
  return kernel.u8.slice(outPtr, outPtr + length)
}

/** Decompresses with guards around the output and the block at the very end of memory, where a read past it traps. */
function decompress(block: Uint8Array, outMax: number): Uint8Array | undefined {
  const blockPtr = kernel.u8.length - block.length
  kernel.u8.set(block, blockPtr)
  kernel.u8.fill(GUARD, backPtr, backPtr + outMax + 256)
  const length = snappy.decompressAt(blockPtr, block.length, backPtr + 64, outMax)
  const before = kernel.u8.subarray(backPtr, backPtr + 64)
  const after = kernel.u8.subarray(backPtr + 64 + outMax, backPtr + outMax + 256)
  assert.ok(before.every((byte) => byte === GUARD) && after.every((byte) => byte === GUARD), 'wrote outside')
  return length < 0 ? undefined : kernel.u8.slice(backPtr + 64, backPtr + 64 + length)
}

/** snappyjs reads past the end of a cut block without noticing, so it judges whole ones only. */
function byPeer(block: Uint8Array): Uint8Array {
  return new Uint8Array(snappyjs.uncompress(block))
}

function logLines(lines: number): Uint8Array {
  let text = ''
  for (let n = 0; n < lines; n++) {
    const ms = String(n % 1000).padStart(3, '0')
    text += `{"timestamp":"2026-11-23T10:00:00.${ms}Z","log_level":"INFO","user":${(n * 7919) % 10007},"message":"done"}\n`
  }
  return Buffer.from(text)
}

/** Bytes with repeats at all distances: pieces, and copies of what came before. */
const repetitive = fc
  .array(
    fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 90 }),
      fc.record({ back: fc.nat(5000), length: fc.nat(400) }),
    ),
    { maxLength: 60 },
  )
  .map((parts) => {
    const bytes: number[] = []
    for (const part of parts) {
      if (part instanceof Uint8Array) bytes.push(...part)
      else if (bytes.length > 0) {
        const distance = 1 + (part.back % bytes.length)
        for (let i = 0; i < part.length; i++) bytes.push(bytes[bytes.length - distance] ?? 0)
      }
    }
    return Uint8Array.from(bytes)
  })

test('what the kernel compresses, snappyjs and the kernel give back byte for byte', () => {
  fc.assert(
    fc.property(fc.oneof(repetitive, fc.uint8Array({ maxLength: 400 })), (bytes) => {
      const block = compress(bytes)
      assert.deepEqual(byPeer(block), bytes)
      assert.deepEqual(decompress(block, bytes.length), bytes)
    }),
    { numRuns: 600 },
  )
})

test('what snappyjs compresses, the kernel gives back byte for byte', () => {
  fc.assert(
    fc.property(fc.oneof(repetitive, fc.uint8Array({ maxLength: 400 })), (bytes) => {
      assert.deepEqual(decompress(snappyjs.compress(bytes), bytes.length), bytes)
    }),
    { numRuns: 600 },
  )
})

test('blocks of 64 KiB and their edges are compressed without a match across them', () => {
  const lines = logLines(2600)
  for (const size of [0, 1, 79, 80, 81, 82, 96, 65535, 65536, 65537, 65616, 65617, 131072, 131073, 200000]) {
    const bytes = lines.subarray(0, size)
    assert.equal(bytes.length, size)
    const block = compress(bytes)
    assert.ok(Buffer.from(byPeer(block)).equals(bytes), `size ${size}`)
    assert.ok(Buffer.from(decompress(block, size) ?? []).equals(bytes), `size ${size}`)
  }
  assert.ok(compress(lines).length < lines.length * 0.3)
})

test('the worst input stays below maxLen: literals of every length between the shortest copies', () => {
  let seed = 7
  const random = (): number => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 24
  for (const literal of [1, 2, 3, 59, 60, 61, 62, 255, 256, 257, 258, 1000]) {
    const bytes = new Uint8Array(140_000)
    for (let at = 0; at < bytes.length; ) {
      for (let i = 0; i < literal && at < bytes.length; i++) bytes[at++] = random()
      const from = Math.max(0, at - 3000 - random())
      for (let i = 0; i < 8 && at < bytes.length; i++) bytes[at++] = bytes[from + i] ?? 0
    }
    assert.ok(Buffer.from(decompress(compress(bytes), bytes.length) ?? []).equals(bytes))
  }
  const noise = Uint8Array.from({ length: INPUT_MAX }, random)
  assert.ok(Buffer.from(decompress(compress(noise), noise.length) ?? []).equals(noise))
})

test('a block that was changed anywhere is refused exactly when the format says so, and nothing outside is written', () => {
  const pool = [logLines(3), logLines(40), Uint8Array.from({ length: 300 }, (_, i) => (i < 150 ? 7 : i))].map(
    (bytes) => ({ bytes, block: compress(bytes) }),
  )
  const change = fc.record({
    at: fc.nat(),
    value: fc.nat(255),
    kind: fc.constantFrom('set', 'cut', 'insert'),
  })
  fc.assert(
    fc.property(
      fc.constantFrom(...pool),
      fc.array(change, { minLength: 1, maxLength: 4 }),
      ({ bytes, block }, changes) => {
        const mutated = [...block]
        for (const { at, value, kind } of changes) {
          const place = at % (mutated.length + 1)
          if (kind === 'set') mutated[place] = value
          else if (kind === 'insert') mutated.splice(place, 0, value)
          else mutated.length = place
        }
        for (const outMax of [bytes.length, bytes.length + 700]) {
          const changed = Uint8Array.from(mutated)
          assert.deepEqual(decompress(changed, outMax), referenceDecompress(changed, outMax))
        }
      },
    ),
    { numRuns: 3000 },
  )
})

test('random bytes, cut blocks and an output too small are refused', () => {
  const bytes = logLines(3)
  const block = compress(bytes)
  for (let length = 0; length < block.length; length++) {
    assert.equal(decompress(block.subarray(0, length), bytes.length), undefined, `cut at ${length}`)
  }
  assert.equal(decompress(block, bytes.length - 1), undefined)
  assert.equal(decompress(Uint8Array.of(...block, 0), bytes.length), undefined, 'a byte too many')
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
      assert.deepEqual(decompress(noise, 500), referenceDecompress(noise, 500))
    }),
    { numRuns: 3000 },
  )
})

test('an output that ends where memory ends is filled to its last byte and no further', () => {
  for (const bytes of [
    logLines(20),
    new Uint8Array(777).fill(9),
    Uint8Array.from({ length: 100 }, (_, n) => n % 3),
  ]) {
    const block = compress(bytes)
    kernel.u8.set(block, inPtr)
    const end = kernel.u8.length - bytes.length
    assert.equal(snappy.decompressAt(inPtr, block.length, end, bytes.length), bytes.length)
    assert.ok(Buffer.from(kernel.u8.subarray(end)).equals(bytes))
  }
})

test('every malformed element is named by a hand-made block', () => {
  const cases: Record<string, number[]> = {
    'no length': [],
    'a length that never ends': [0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
    'a length over 32 bits': [0xff, 0xff, 0xff, 0xff, 0x1f],
    'offset 0': [5, 0x00, 65, 0x01, 0x00],
    'offset before the start': [5, 0x00, 65, 0x01, 0x02],
    'a copy before any byte': [4, 0x01, 0x01],
    'a copy past the output': [4, 0x00, 65, 0x01, 0x01],
    'a literal past the input': [9, 0x20, 65],
    'a literal past the output': [1, 0x04, 65, 66],
    'a literal head past the input': [100, 0xf4, 1],
    'a literal of 2^32 bytes': [4, 0xfc, 0xff, 0xff, 0xff, 0xff, 65],
    'a 2-byte offset cut': [5, 0x00, 65, 0x0e, 1],
    'a 4-byte offset cut': [5, 0x00, 65, 0x0f, 1, 0, 0],
    'a 4-byte offset of 2^32 - 1': [5, 0x00, 65, 0x0f, 0xff, 0xff, 0xff, 0xff],
    'output shorter than stated': [3, 0x00, 65],
  }
  for (const [name, block] of Object.entries(cases)) {
    assert.equal(decompress(Uint8Array.from(block), 200), undefined, name)
  }
  const fourByteOffset = [5, 0x00, 65, 0x0f, 1, 0, 0, 0]
  assert.deepEqual(decompress(Uint8Array.from(fourByteOffset), 5), Uint8Array.of(65, 65, 65, 65, 65))
  assert.deepEqual(decompress(Uint8Array.of(0), 0), new Uint8Array(0))
})

test('property: an input in parts becomes one block that others read', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(70_000), { minLength: 1, maxLength: 5 }), fc.nat(3000), (sizes, seed) => {
      const lines = logLines(3000).subarray(seed)
      const parts: { ptr: number; bytes: number }[] = []
      const pieces: Uint8Array[] = []
      let at = inPtr
      for (const size of sizes) {
        const piece = lines.subarray(0, size)
        if (at + piece.length + 100 > inPtr + INPUT_MAX) break
        kernel.u8.set(piece, at)
        parts.push({ ptr: at, bytes: piece.length })
        pieces.push(piece)
        // Apart from each other, with bytes between that belong to none.
        at += piece.length + 37
      }
      const whole = Buffer.concat(pieces)
      const length = snappy.compressParts(parts, outPtr)
      assert.ok(length <= snappy.maxLen(whole.length))
      const block = kernel.u8.slice(outPtr, outPtr + length)
      assert.deepEqual(Buffer.from(byPeer(block)), whole)
      assert.deepEqual(decompress(block, whole.length), new Uint8Array(whole))
    }),
    { numRuns: 60 },
  )
})
