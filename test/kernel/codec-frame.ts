// Raw frame bodies for codec tests: canonical-looking records with their index, laid into kernel memory, and their generator.
import fc from 'fast-check'
import type { CodecKernel } from '../../kernel/exports-codec.js'
import { INDEX_ENTRY_BYTES, indexOffset } from '../../protocol/frame.js'

export interface TestRecord {
  readonly json: string
  readonly tsNs: bigint
  readonly stream: number
  readonly weight: number
  /** Offset in bytes and text of the trace id inside the record. */
  readonly trace?: { readonly offset: number; readonly text: string }
}

export interface TestFrame {
  readonly rawPtr: number
  readonly indexPtr: number
  readonly ndjsonBytes: number
  readonly rawBytes: number
  readonly count: number
}

const STREAMS = 5

/** Records of up to five streams, mostly in order of time, some with trace ids (plain, escaped or empty), all with a message. */
export const recordsArbitrary: fc.Arbitrary<TestRecord[]> = fc
  .array(
    fc.record({
      jitterNs: fc.oneof(
        { weight: 5, arbitrary: fc.constant(0n) },
        fc.bigInt(-3_000_000_000n, 3_000_000_000n),
      ),
      stream: fc.nat(STREAMS - 1),
      weight: fc.constantFrom(1, 2, 10, 1000),
      message: fc.string({ unit: 'grapheme', maxLength: 80 }),
      trace: fc.option(
        fc.oneof(fc.string({ maxLength: 40 }), fc.constantFrom('', '4bf92f3577b34da6a3ce929d0e0e4736')),
        { nil: undefined },
      ),
    }),
    { maxLength: 60 },
  )
  .map((list) =>
    list.map(({ jitterNs, stream, weight, message, trace }, n) => {
      const tsNs = 1_790_000_000_000_000_000n + BigInt(n) * 1_000_000n + jitterNs
      const head = '{"log_level":"INFO",'
      const traced = trace === undefined ? '' : `"trace_id":${JSON.stringify(trace)},`
      const json = `${head}${traced}"message":${JSON.stringify(message)}}`
      if (trace === undefined) return { json, tsNs, stream, weight }
      const text = JSON.stringify(trace).slice(1, -1)
      return { json, tsNs, stream, weight, trace: { offset: head.length + 12, text } }
    }),
  )

export const STREAM_COUNT = STREAMS

/** The raw body of the records as plain bytes, built without the kernel. */
export function rawBody(records: readonly TestRecord[]): Buffer {
  const lines = records.map((record) => Buffer.from(`${record.json}\n`))
  const ndjson = Buffer.concat(lines)
  const body = Buffer.alloc(indexOffset(ndjson.length) + records.length * INDEX_ENTRY_BYTES)
  ndjson.copy(body)
  let offset = 0
  records.forEach((record, n) => {
    const at = indexOffset(ndjson.length) + n * INDEX_ENTRY_BYTES
    const length = (lines[n]?.length ?? 1) - 1
    body.writeBigInt64LE(record.tsNs, at)
    body.writeUInt32LE(offset, at + 8)
    body.writeUInt32LE(length, at + 12)
    body.writeUInt32LE(record.stream, at + 16)
    body.writeFloatLE(record.weight, at + 20)
    body.writeUInt32LE(record.trace?.offset ?? 0, at + 24)
    body.writeUInt32LE(record.trace === undefined ? 0 : Buffer.byteLength(record.trace.text), at + 28)
    offset += length + 1
  })
  return body
}

/** Copies a raw body to `ptr` in kernel memory; what lies behind it is filled with a byte that must never show up in an output. */
export function layFrame(kernel: CodecKernel, ptr: number, records: readonly TestRecord[]): TestFrame {
  const body = rawBody(records)
  const ndjsonBytes = records.reduce((sum, record) => sum + Buffer.byteLength(record.json) + 1, 0)
  kernel.u8.set(body, ptr)
  kernel.u8.fill(0xee, ptr + body.length, ptr + body.length + 128)
  return {
    rawPtr: ptr,
    indexPtr: ptr + indexOffset(ndjsonBytes),
    ndjsonBytes,
    rawBytes: body.length,
    count: records.length,
  }
}
