// Frames come back as they were sealed: records, index, header and positions, whatever their size and wherever they are put.
import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { createBulkCodec, bulkCodecBytes, createLokiCodec, lokiCodecBytes } from '../../kernel/codec.js'
import type { CodecKernel } from '../../kernel/exports-codec.js'
import { CODEC_RAW, CODEC_SNAPPY, FRAME_BYTES_MAX, indexOffset } from '../../protocol/frame.js'
import { createFrameChecksum, frameChecksumBytes } from '../../runtime/frame-checksum.js'
import { createFrameCodec, frameCodecBytes, readFrameHeader } from '../../runtime/frame-codec.js'
import { rawBody, recordsArbitrary } from '../kernel/codec-frame.js'
import { createBench, headerOf, position, RAW_BYTES_MAX } from './frames.js'

const bench = createBench()
const { kernel, codec } = bench
const plain = { json: '{"message":"hello"}', tsNs: 1_790_000_000_000_000_000n, stream: 0, weight: 1 }
const many = Array.from({ length: 400 }, (_, n) => ({ ...plain, json: `{"message":"record ${n}"}` }))
const same = (a: Uint8Array, b: Uint8Array): void => assert.ok(Buffer.from(a).equals(b))

test('a sealed frame opens to the same raw body and header', () => {
  fc.assert(
    fc.property(recordsArbitrary, fc.boolean(), (records, inPlace) => {
      const body = rawBody(records)
      const room = inPlace ? { roomBytes: body.length + 64 } : {}
      const sealed = codec.seal({ ...bench.input(records, [position(20)]), ...room })
      same(sealed.raw, body)
      const encoded = new Uint8Array(sealed.encoded)
      assert.equal(codec.verify(encoded), undefined)
      const opened = codec.open(encoded)
      same(opened.raw, body)
      assert.equal(opened.indexPtr - opened.rawPtr, indexOffset(opened.header.ndjsonBytes))
      assert.deepEqual({ ...opened.header, positions: [] }, { ...sealed.header, positions: [] })
      assert.deepEqual(readFrameHeader(encoded).header, opened.header)
      const [first] = opened.header.positions
      assert.deepEqual(new Uint8Array(first?.carry?.[0]?.bytes ?? []), position(20).carry?.[0]?.bytes)
    }),
    { numRuns: 200 },
  )
})

test('sealing with the index in a region of its own pads the records with zeros', () => {
  for (const roomBytes of [0, RAW_BYTES_MAX]) {
    const input = bench.input(many.slice(0, 7))
    const elsewhere = bench.framePtr + 100_000
    kernel.u8.copyWithin(elsewhere, input.indexPtr, input.indexPtr + 7 * 32)
    kernel.u8.fill(0xee, bench.framePtr + input.ndjsonBytes, input.indexPtr + 7 * 32)
    const { raw } = codec.seal({ ...input, indexPtr: elsewhere, roomBytes })
    same(raw, rawBody(many.slice(0, 7)))
  }
})

test('slot memory gets both parts, also where it is shared', () => {
  const raw = new Uint8Array(new SharedArrayBuffer(RAW_BYTES_MAX))
  const encoded = new Uint8Array(new SharedArrayBuffer(RAW_BYTES_MAX), 64)
  const sealed = bench.seal(many, { raw, encoded })
  const body = rawBody(many)
  same(raw.subarray(0, sealed.rawBytes), body)
  const bytes = encoded.subarray(0, sealed.encodedBytes)
  assert.equal(codec.verify(bytes), undefined)
  assert.equal(readFrameHeader(bytes).header.id, sealed.header.id)
  const into = new Uint8Array(new SharedArrayBuffer(RAW_BYTES_MAX))
  const opened = codec.open(bytes, into)
  same(into.subarray(0, body.length), body)
  assert.equal(opened.raw.buffer, into.buffer)
  const ptr = codec.load(raw.subarray(0, sealed.rawBytes))
  same(kernel.u8.subarray(ptr, ptr + body.length), body)
})

test('a body that hardly shrinks is kept raw, one that shrinks is not', () => {
  let seed = 1
  const random = (): string => String.fromCharCode(35 + ((seed = (Math.imul(seed, 69069) + 1) >>> 0) >>> 26))
  const noise = Array.from({ length: 4000 }, random).join('').replaceAll('\\', '/')
  const raw = bench.seal([{ ...plain, json: `{"message":"${noise}"}` }])
  assert.equal(raw.header.codec, CODEC_RAW)
  assert.ok(raw.encodedBytes > raw.rawBytes)
  assert.ok(codec.open(new Uint8Array(raw.encoded)).raw.length === raw.rawBytes)
  const shrunk = bench.seal(many)
  assert.equal(shrunk.header.codec, CODEC_SNAPPY)
  assert.ok(shrunk.encodedBytes < shrunk.rawBytes / 2)
})

test('a frame with positions only is a frame', () => {
  const sealed = codec.seal(bench.input([], [position(0)]))
  assert.equal(sealed.rawBytes, 0)
  const opened = codec.open(new Uint8Array(sealed.encoded))
  assert.equal(opened.header.count, 0)
  assert.equal(opened.header.positions[0]?.offset, 5_000_000_000)
})

test('a decoded header keeps its bytes when the codec goes on to other frames', () => {
  const first = codec.open(new Uint8Array(codec.seal(bench.input([plain], [position(200)])).encoded))
  for (let n = 0; n < 3; n++) codec.open(new Uint8Array(codec.seal(bench.input(many)).encoded))
  const bytes = first.header.positions[0]?.carry?.[0]?.bytes
  assert.deepEqual(new Uint8Array(bytes ?? []), position(200).carry?.[0]?.bytes)
})

test('what is too large for codec, frame or target is refused by name', () => {
  const small = new Uint8Array(100)
  assert.throws(() => bench.seal(many, { raw: small }), { code: 'frame.target' })
  assert.throws(() => bench.seal(many, { encoded: small }), { code: 'frame.target' })
  const encoded = new Uint8Array(bench.seal(many).encoded)
  assert.throws(() => codec.open(encoded, small), { code: 'frame.target' })
  assert.throws(() => codec.seal(bench.input([plain], [position(70_000)])), { code: 'frame.too_large' })
  const input = bench.input([])
  assert.throws(() => codec.seal({ ...input, ndjsonBytes: RAW_BYTES_MAX + 1 }), { code: 'frame.too_large' })
  assert.throws(() => codec.load(new Uint8Array(RAW_BYTES_MAX + 1)), { code: 'frame.too_large' })
})

test('bytes compress and come back, and malformed ones are an error', () => {
  const body = rawBody(many)
  const block = new Uint8Array(codec.compress(body))
  assert.ok(block.length < body.length / 2)
  same(codec.decompress(block), body)
  assert.throws(() => codec.decompress(block.subarray(1)), { code: 'snappy.malformed' })
  assert.throws(() => codec.decompress(new Uint8Array(FRAME_BYTES_MAX)), { code: 'snappy.malformed' })
})

test('an index that does not fit its records is not sealed', () => {
  const wrong: Record<string, (entry: DataView) => void> = {
    'offset off by one': (entry) => entry.setUint32(8, entry.getUint32(8, true) + 1, true),
    'length off by one': (entry) => entry.setUint32(12, entry.getUint32(12, true) - 1, true),
    'length without end': (entry) => entry.setUint32(12, 0xffffffff, true),
    'stream that is not in the header': (entry) => entry.setUint32(16, 5, true),
    'weight below 1': (entry) => entry.setFloat32(20, 0.5, true),
    'weight not a number': (entry) => entry.setFloat32(20, Number.NaN, true),
    'trace outside the record': (entry) => entry.setUint32(24, 1000, true),
    'trace longer than the record': (entry) => {
      entry.setUint32(24, 5, true)
      entry.setUint32(28, 0xffffffff, true)
    },
    'trace length without a trace': (entry) => entry.setUint32(28, 3, true),
  }
  for (const [name, spoil] of Object.entries(wrong)) {
    const input = bench.input(many.slice(0, 3))
    spoil(new DataView(kernel.memory.buffer, input.indexPtr + 32, 32))
    assert.throws(() => codec.seal(input), { code: 'frame.body' }, name)
  }
  const input = bench.input(many.slice(0, 3))
  assert.throws(
    () => codec.seal({ ...input, header: headerOf(2) }),
    { code: 'frame.body' },
    'a record left out',
  )
})

test('the stated memory needs are what the codecs take', () => {
  let taken = 0
  const counting: CodecKernel = {
    ...kernel,
    alloc(bytes, align = 16) {
      taken += bytes + align - 1
      return kernel.alloc(0, align)
    },
  }
  const takes = (make: () => unknown): number => {
    taken = 0
    make()
    return taken
  }
  assert.ok(takes(() => createFrameCodec(counting)) <= frameCodecBytes())
  const options = { rawBytesMax: 10_000, headerBytesMax: 1000 }
  assert.ok(takes(() => createFrameCodec(counting, options)) <= frameCodecBytes(options))
  assert.ok(takes(() => createFrameChecksum(counting)) <= frameChecksumBytes())
  assert.ok(takes(() => createBulkCodec(counting)) <= bulkCodecBytes())
  const lokiOptions = { recordsMax: 1000, streamsMax: 10 }
  assert.ok(takes(() => createLokiCodec(counting, lokiOptions)) <= lokiCodecBytes(lokiOptions))
})
