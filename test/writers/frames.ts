// Makes sealed frames out of plain records, as the ingest thread would: canonical NDJSON, index, positions left empty.
import { createKernel } from '../../kernel/kernel.js'
import { INDEX_ENTRY_BYTES, type FrameHeader, type StreamFields } from '../../protocol/frame.js'
import { createFrameCodec } from '../../runtime/frame-codec.js'

export interface TestRecord {
  readonly tsNs: bigint
  readonly level?: string
  readonly service?: string
  readonly namespace?: string
  readonly pod?: string
  readonly message?: string
  readonly traceId?: string
  /** More members, as JSON text beginning with a comma. */
  readonly more?: string
}

export interface TestFrame {
  readonly id: string
  readonly header: FrameHeader
  readonly raw: Uint8Array
  readonly encoded: Uint8Array
  /** Canonical lines. */
  readonly lines: readonly string[]
}

const kernel = createKernel({ memoryBytes: 48 * 1024 * 1024 })
const codec = createFrameCodec(kernel)
const ndjsonPtr = kernel.alloc(4 * 1024 * 1024, 64)
const indexPtr = kernel.alloc(1024 * 1024, 64)

export function isoNs(tsNs: bigint): string {
  const fraction = String(tsNs % 1_000_000_000n).padStart(9, '0')
  return `${new Date(Number(tsNs / 1_000_000_000n) * 1000).toISOString().slice(0, 19)}.${fraction}Z`
}

export function canonicalLine(record: TestRecord): string {
  const { level = 'INFO', service = 'cart', namespace = 'shop', pod = 'cart-0', message = 'hello' } = record
  const trace = record.traceId === undefined ? '' : `,"trace_id":"${record.traceId}"`
  return `{"timestamp":"${isoNs(record.tsNs)}","log_level":"${level}","service_name":${JSON.stringify(service)},"pod_uid":"u-1","namespace":"${namespace}","cluster_id":"test","log_type":"app","pod_name":"${pod}"${trace},"message":${JSON.stringify(message)}${record.more ?? ''}}`
}

/** Ids have the length of a nanoid, so that sizes are real ones. */
export function frameId(number: number): string {
  return `frame_-${String(number).padStart(14, '0')}`
}

export function makeFrame(id: string, records: readonly TestRecord[]): TestFrame {
  const streams: StreamFields[] = []
  const numbers = new Map<string, number>()
  const lines = records.map(canonicalLine)
  let at = 0
  for (const [n, record] of records.entries()) {
    const { level = 'INFO', service = 'cart', namespace = 'shop', pod = 'cart-0' } = record
    const key = JSON.stringify([level, service, namespace, pod])
    if (!numbers.has(key)) {
      numbers.set(key, streams.length)
      const labels = { app: service }
      const names = { service_name: service, namespace, pod_uid: 'u-1', pod_name: pod, labels }
      streams.push({ ...names, cluster_id: 'test', log_level: level, log_type: 'app' })
    }
    const bytes = Buffer.from(lines[n] as string)
    kernel.u8.set(bytes, ndjsonPtr + at)
    kernel.u8[ndjsonPtr + at + bytes.length] = 0x0a
    const entry = indexPtr + n * INDEX_ENTRY_BYTES
    kernel.view.setBigInt64(entry, record.tsNs, true)
    kernel.view.setUint32(entry + 8, at, true)
    kernel.view.setUint32(entry + 12, bytes.length, true)
    kernel.view.setUint32(entry + 16, numbers.get(key) as number, true)
    kernel.view.setFloat32(entry + 20, 1, true)
    const traceAt = record.traceId === undefined ? 0 : bytes.indexOf(record.traceId)
    kernel.view.setUint32(entry + 24, traceAt, true)
    kernel.view.setUint32(entry + 28, record.traceId?.length ?? 0, true)
    at += bytes.length + 1
  }
  const times = records.map((record) => Number(record.tsNs / 1_000_000n))
  const minTsMs = times.length === 0 ? 0 : Math.min(...times)
  const maxTsMs = times.length === 0 ? 0 : Math.max(...times)
  const { length: count } = records
  const sealed = codec.seal({
    header: { id, node: 'node-1', madeMs: 0, count, streams, positions: [], minTsMs, maxTsMs },
    ndjsonPtr,
    ndjsonBytes: at,
    indexPtr,
  })
  return { id, header: sealed.header, raw: sealed.raw.slice(), encoded: sealed.encoded.slice(), lines }
}

/** `count` records a millisecond apart, ending now. */
export function recentRecords(count: number, over: Partial<TestRecord> = {}): TestRecord[] {
  const endNs = BigInt(Date.now()) * 1_000_000n
  return Array.from({ length: count }, (_, n) => {
    return { tsNs: endNs - BigInt(count - n) * 1_000_000n + BigInt(n), message: `message ${n}`, ...over }
  })
}
