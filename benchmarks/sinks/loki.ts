// A sink that answers as Loki does and only counts: entries of a protobuf push, of a JSON push, or of an OTLP request.
import type { IncomingMessage } from 'node:http'
import { createKernel } from '../../kernel/kernel.js'
import { createSnappy } from '../../kernel/snappy.js'
import type { Body, SinkProtocol } from './http.js'

const PACKED_MAX = 16 * 1024 * 1024
const PLAIN_MAX = 32 * 1024 * 1024
/** The kernel's own tables, and slack. */
const KERNEL_BYTES = 6 * 1024 * 1024

export function lokiProtocol(): SinkProtocol {
  const kernel = createKernel({ memoryBytes: PACKED_MAX + PLAIN_MAX + KERNEL_BYTES })
  const snappy = createSnappy(kernel)
  const packedPtr = kernel.alloc(PACKED_MAX)
  const plainPtr = kernel.alloc(PLAIN_MAX)

  /** A view of kernel memory, good until the next body. */
  function unpack({ chunks, bytes }: Body): Uint8Array {
    if (bytes > PACKED_MAX) throw new Error(`a push of ${bytes} bytes`)
    let at = packedPtr
    for (const chunk of chunks) {
      kernel.u8.set(chunk, at)
      at += chunk.length
    }
    const length = snappy.decompressAt(packedPtr, bytes, plainPtr, PLAIN_MAX)
    if (length < 0) throw new Error('a push that is no snappy block')
    return kernel.u8.subarray(plainPtr, plainPtr + length)
  }

  function plain(body: Body, request: IncomingMessage): Uint8Array {
    const packed = !isJson(request) && !isOtlp(request)
    return packed ? unpack(body) : Buffer.concat(body.chunks, body.bytes)
  }

  return {
    isWrite: (path) => path === '/loki/api/v1/push' || path.endsWith('/v1/logs'),
    count(body, request) {
      const bytes = plain(body, request)
      if (isJson(request)) return countJson(bytes)
      // PushRequest.streams.entries; ExportLogsServiceRequest.resource_logs.scope_logs.log_records.
      return countFields(bytes, 0, bytes.length, isOtlp(request) ? [1, 2, 2] : [1, 2], 0)
    },
    plain,
    stored: (_records, _body, request) =>
      isOtlp(request)
        ? { status: 200, body: Buffer.alloc(0), headers: { 'content-type': 'application/x-protobuf' } }
        : { status: 204 },
    refused: { status: 429, body: Buffer.from('ingestion rate limit exceeded') },
    other: ({ url }) => (url === '/ready' ? { status: 200, body: Buffer.from('ready\n') } : { status: 404 }),
  }
}

function isJson({ headers }: IncomingMessage): boolean {
  return String(headers['content-type'] ?? '').startsWith('application/json')
}

function isOtlp({ url }: IncomingMessage): boolean {
  return (url ?? '').includes('/v1/logs')
}

/** Parsed, since no cheaper look tells a value from a text that ends alike; only peers send JSON. */
function countJson(bytes: Uint8Array): number {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
  const { streams } = JSON.parse(text) as { streams: { values: unknown[] }[] }
  return streams.reduce((sum, { values }) => sum + values.length, 0)
}

/** Counts the fields at the end of a path of field numbers; https://protobuf.dev/programming-guides/encoding. */
export function countFields(
  bytes: Uint8Array,
  from: number,
  to: number,
  path: readonly number[],
  depth: number,
): number {
  let count = 0
  for (let at = from; at < to; ) {
    const key = bytes[at++] as number
    const wire = key & 7
    if (wire !== 2) {
      at = afterPlain(bytes, at, wire)
      continue
    }
    let length = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] as number
      length += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) break
      if (shift > 28) throw new Error('a length of over 32 bits')
    }
    if (at + length > to) throw new Error('a field that is longer than its message')
    if (key >> 3 === path[depth])
      count += depth === path.length - 1 ? 1 : countFields(bytes, at, at + length, path, depth + 1)
    at += length
  }
  return count
}

function afterPlain(bytes: Uint8Array, from: number, wire: number): number {
  if (wire === 1) return from + 8
  if (wire === 5) return from + 4
  if (wire !== 0) throw new Error(`a field of wire type ${wire}`)
  let at = from
  while ((bytes[at++] as number) >= 0x80) if (at - from > 10) throw new Error('a number without end')
  return at
}
