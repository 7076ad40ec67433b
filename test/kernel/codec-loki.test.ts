// Loki's protobuf against a plain encoder and a reader: every record once, in its stream, in order of time, with its metadata.
import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { createLokiCodec, encodeMetadata } from '../../kernel/codec.js'
import { createKernel } from '../../kernel/kernel.js'
import type { TestRecord } from './codec-frame.js'
import { layFrame, recordsArbitrary, STREAM_COUNT } from './codec-frame.js'
import { readEntries, readProto, readPush } from './codec-reference.js'

const OUT_BYTES = 200_000
const GUARD = 0xa5
const kernel = createKernel({ memoryBytes: 8 * 1024 * 1024 })
const loki = createLokiCodec(kernel, { recordsMax: 20_000, streamsMax: STREAM_COUNT })
const framePtr = kernel.alloc(1_200_000)
const outPtr = kernel.alloc(OUT_BYTES + 256)

function varint(value: bigint): number[] {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, value)
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return [...bytes, Number(rest)]
}
const field = (number: number, content: Uint8Array | readonly number[]): number[] => [
  (number << 3) | 2,
  ...varint(BigInt(content.length)),
  ...content,
]
const pair = (name: string, value: string): number[] =>
  field(3, [...field(1, Buffer.from(name)), ...field(2, Buffer.from(value))])

const METADATA = [
  ['batch_id', 'f'],
  ['pod_name', 'cart-7d9f8b-x1'],
] as const

/** One entry by the book (gogo/protobuf's order and omissions), from the record alone. */
function referenceEntry({ json, tsNs, trace }: TestRecord, n: number): number[] {
  const seconds = tsNs / 1_000_000_000n
  const nanos = tsNs % 1_000_000_000n
  const time = [
    ...(seconds === 0n ? [] : [0x08, ...varint(seconds)]),
    ...(nanos === 0n ? [] : [0x10, ...varint(nanos)]),
  ]
  const copied = trace !== undefined && trace.text !== '' && !trace.text.includes('\\')
  return field(2, [
    ...field(1, time),
    ...field(2, Buffer.from(json)),
    ...METADATA.flatMap(([name, value]) => pair(name, value)),
    ...pair('rid', `f-${n}`),
    ...(copied ? pair('trace_id', trace.text) : []),
  ])
}

/** Record numbers of a stream in order of time, equal times in record order. */
function referenceOrder(records: readonly TestRecord[], stream: number): number[] {
  const time = (n: number): bigint => records[n]?.tsNs ?? 0n
  const numbers = records.flatMap((record, n) => (record.stream === stream ? [n] : []))
  return numbers.sort((a, b) => (time(a) === time(b) ? a - b : time(a) < time(b) ? -1 : 1))
}

function begin(records: readonly TestRecord[]): void {
  loki.begin(layFrame(kernel, framePtr, records), STREAM_COUNT, 'f-')
  loki.setLabels('{service_name="cart", namespace="shop"}')
  loki.setMetadata(METADATA)
}

/** Runs one of the two encoders over [from, to) with `room` bytes an output until all is written. */
function encodeAll(
  encode: (from: number, to: number, outPtr: number, outLimit: number) => number,
  from: number,
  to: number,
  room: number,
): Buffer[] {
  const parts: Buffer[] = []
  for (let at = from; at < to; ) {
    kernel.u8.fill(GUARD, outPtr, outPtr + room + 256)
    const next = encode(at, to, outPtr, outPtr + room)
    const guard = kernel.u8.subarray(outPtr + room, outPtr + room + 256)
    assert.ok(
      guard.every((byte) => byte === GUARD),
      'wrote outside',
    )
    assert.ok(next > at, 'no progress though the room holds any entry')
    parts.push(Buffer.from(kernel.u8.slice(outPtr, loki.out())))
    at = next
  }
  return parts
}

test('records come by stream and by time, equal times in record order', () => {
  fc.assert(
    fc.property(recordsArbitrary, (records) => {
      begin(records)
      const order = [...loki.order()]
      const starts = [...loki.starts()]
      assert.equal(order.length, records.length)
      for (let stream = 0; stream < STREAM_COUNT; stream++) {
        assert.deepEqual(order.slice(starts[stream], starts[stream + 1]), referenceOrder(records, stream))
      }
    }),
    { numRuns: 300 },
  )
})

test('a large frame in any order is sorted too (reversed, shuffled, all equal)', () => {
  const count = 20_000
  for (const time of [
    (n: number) => -n,
    (n: number) => (n * 7919) % 10_007,
    () => 5,
    (n: number) => n - (n % 3) * 2,
  ]) {
    const records = Array.from({ length: count }, (_, n) => ({
      json: '{"m":1}',
      tsNs: 1_000_000_000_000n + BigInt(time(n)),
      stream: n % 2,
      weight: 1,
    }))
    begin(records)
    const starts = loki.starts()
    for (const stream of [0, 1]) {
      const got = [...loki.order().subarray(starts[stream], starts[stream + 1])]
      assert.deepEqual(got, referenceOrder(records, stream))
    }
  }
})

test('entries are what the protobuf definition asks for, byte for byte, and whole in each output', () => {
  fc.assert(
    fc.property(recordsArbitrary, fc.integer({ min: 1500, max: 20_000 }), (records, room) => {
      begin(records)
      const order = [...loki.order()]
      const parts = encodeAll((...span) => loki.entries(...span), 0, records.length, room)
      const expected = order.flatMap((n) => referenceEntry(records[n] ?? assert.fail(), n))
      assert.ok(Buffer.concat(parts).equals(Uint8Array.from(expected)))
      for (const part of parts) readEntries(readProto(part))
    }),
    { numRuns: 150 },
  )
})

test('a push of all streams reads back as every record once with its own metadata', () => {
  fc.assert(
    fc.property(recordsArbitrary, fc.integer({ min: 1500, max: 20_000 }), (records, room) => {
      begin(records)
      const starts = [...loki.starts()]
      for (let stream = 0; stream < STREAM_COUNT; stream++) {
        const labels = `{stream="${stream}"}`
        loki.setLabels(labels)
        const parts = encodeAll(
          (...span) => loki.stream(...span),
          starts[stream] ?? 0,
          starts[stream + 1] ?? 0,
          room,
        )
        const pushed = readPush(Buffer.concat(parts))
        assert.equal(pushed.length, parts.length)
        assert.ok(pushed.every((adapter) => adapter.labels === labels))
        const expected = referenceOrder(records, stream).map((n) => {
          const { tsNs, json, trace } = records[n] ?? assert.fail()
          const copied = trace !== undefined && trace.text !== '' && !trace.text.includes('\\')
          const traced = copied ? [['trace_id', trace.text]] : []
          return { tsNs, line: json, metadata: [...METADATA, ['rid', `f-${n}`], ...traced] }
        })
        assert.deepEqual(
          pushed.flatMap((adapter) => adapter.entries),
          expected,
        )
      }
    }),
    { numRuns: 150 },
  )
})

test('lengths around the varint edges keep every byte', () => {
  const sizes = [
    1, 100, 112, 113, 114, 115, 116, 117, 118, 119, 120, 126, 127, 128, 129, 16_200, 16_300, 16_383, 16_384,
    16_385,
  ]
  const records = sizes.map((size, n) => ({
    json: `{"m":"${'x'.repeat(size)}"}`,
    tsNs: [0n, 1n, 1_000_000_000n, 127_000_000_127n, 9_000_000_000_000_000_000n][n % 5] ?? 0n,
    stream: 0,
    weight: 1,
  }))
  begin(records)
  const parts = encodeAll((...span) => loki.stream(...span), 0, records.length, OUT_BYTES)
  const entries = readPush(Buffer.concat(parts)).flatMap((adapter) => adapter.entries)
  const expected = referenceOrder(records, 0).map((n) => records[n] ?? assert.fail())
  assert.deepEqual(
    entries.map(({ line, tsNs }) => [line, tsNs]),
    expected.map(({ json, tsNs }) => [json, tsNs]),
  )
})

test('an entry that does not fit writes nothing', () => {
  begin([{ json: `{"m":"${'x'.repeat(500)}"}`, tsNs: 5n, stream: 0, weight: 1 }])
  assert.equal(loki.entries(0, 1, outPtr, outPtr + 500), 0)
  assert.equal(loki.out(), outPtr)
  assert.equal(loki.stream(0, 1, outPtr, outPtr + 500), 0)
  assert.equal(loki.out(), outPtr)
})

test('a frame larger than the codec was made for is an error, not an overwrite', () => {
  const frame = { rawPtr: framePtr, indexPtr: framePtr, count: 20_001 }
  assert.throws(() => loki.begin(frame, 1, 'f-'), { code: 'kernel.loki_room' })
  assert.throws(() => loki.begin({ ...frame, count: 1 }, STREAM_COUNT + 1, 'f-'), {
    code: 'kernel.loki_room',
  })
})

test('metadata is written as label pairs', () => {
  const long = 'ü'.repeat(100)
  assert.deepEqual(
    [
      ...encodeMetadata([
        ['a', 'b'],
        ['n', long],
      ]),
    ],
    [...pair('a', 'b'), ...pair('n', long)],
  )
})
