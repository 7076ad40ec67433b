// A damaged frame is never taken for a frame: cut anywhere, any bit flipped, or rewritten with a right checksum.
import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { FRAME_CRC_FROM } from '../../protocol/frame.js'
import { MillraceError } from '../../protocol/errors.js'
import { createFrameChecksum } from '../../runtime/frame-checksum.js'
import { readFrameHeader } from '../../runtime/frame-codec.js'
import { createBench, position } from './frames.js'

const bench = createBench()
const { codec, kernel } = bench
const checksum = createFrameChecksum(kernel, 64)
const records = Array.from({ length: 12 }, (_, n) => ({
  json: `{"log_level":"INFO","trace_id":"4bf92f3577b34da6","message":"record ${n}"}`,
  tsNs: 1_790_000_000_000_000_000n + BigInt(n),
  stream: n % 3,
  weight: 1,
  trace: { offset: 32, text: '4bf92f3577b34da6' },
}))
const frame = new Uint8Array(codec.seal(bench.input(records, [position(30)])).encoded)

/** The code that open refuses with; verify must agree as far as it looks, and readFrameHeader must not fail otherwise. */
function refusal(bytes: Uint8Array): string | undefined {
  let code: string | undefined
  try {
    codec.open(bytes)
  } catch (error) {
    assert.ok(error instanceof MillraceError, `not a MillraceError: ${String(error)}`)
    code = error.code
  }
  const fault = codec.verify(bytes)
  assert.equal(checksum.verify(bytes), fault)
  if (fault !== undefined) assert.equal(code, fault)
  try {
    readFrameHeader(bytes)
  } catch (error) {
    assert.ok(error instanceof MillraceError, `not a MillraceError: ${String(error)}`)
  }
  return code
}

test('a frame cut at any byte, or with bytes behind it, is refused', () => {
  assert.equal(refusal(frame), undefined)
  for (let length = 0; length < frame.length; length++) {
    assert.equal(refusal(frame.subarray(0, length)), 'frame.length', `cut at ${length}`)
  }
  assert.equal(refusal(Uint8Array.of(...frame, 0)), 'frame.length')
})

test('any flipped bit is found', () => {
  const damaged = new Uint8Array(frame)
  for (let at = 0; at < frame.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      damaged[at] = (frame[at] ?? 0) ^ (1 << bit)
      const code = refusal(damaged)
      const expected = at < 4 ? ['frame.magic'] : at < 8 ? ['frame.length'] : ['frame.crc', 'frame.length']
      assert.ok(code !== undefined && expected.includes(code), `bit ${bit} of byte ${at}: ${code}`)
    }
    damaged[at] = frame[at] ?? 0
  }
})

test('torn writes (a tail of zeros or of an older frame) are found', () => {
  for (let at = 1; at < frame.length; at += 3) {
    const torn = new Uint8Array(frame)
    torn.fill(0, at)
    if (Buffer.from(torn).equals(frame)) continue
    assert.notEqual(refusal(torn), undefined, `zeros from ${at}`)
  }
})

test('hostile bytes with a right checksum give an error of ours or a frame whose index fits its records', () => {
  const change = fc.record({ at: fc.nat(), value: fc.nat(255) })
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      const forged = new Uint8Array(frame)
      for (const { at, value } of changes) forged[12 + (at % (frame.length - 12))] = value
      new DataView(forged.buffer).setUint32(8, codec.crc32c(forged.subarray(FRAME_CRC_FROM)), true)
      const code = refusal(forged)
      if (code !== undefined) {
        assert.match(code, /^frame\.(length|header|body|too_large)$/)
        return
      }
      const { header, rawPtr, indexPtr } = codec.open(forged)
      const fits = kernel.fn.frameCheck(
        rawPtr,
        header.ndjsonBytes,
        indexPtr,
        header.count,
        header.streams.length,
      )
      assert.equal(fits, 1)
    }),
    { numRuns: 2000 },
  )
})

test('a checksum in pieces is the checksum of the whole', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      assert.equal(checksum.crc32c(bytes), codec.crc32c(bytes))
    }),
    { numRuns: 100 },
  )
})
