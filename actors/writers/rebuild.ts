// Makes a frame again out of records that come from a backend, the archive or the dead letters: same id, same numbers.
import { createKernel } from '../../kernel/kernel.js'
import { FRAME_BYTES_MAX, INDEX_ENTRY_BYTES, type StreamFields } from '../../protocol/frame.js'
import { createFrameCodec, frameCodecBytes } from '../../runtime/frame-codec.js'

export interface RebuildRecord {
  readonly n: number
  /** The canonical record. */
  readonly line: string
  /** Time in the frame's index, where it is known; else made from the record's timestamp. */
  readonly tsNs?: bigint
}

export interface Rebuilt {
  readonly encoded: Uint8Array
  /** Numbers that hold records; what lies between is filling that must not be sent. */
  readonly numbers: ReadonlySet<number>
}

export interface Rebuilder {
  /**
   * One frame, or several with the same id where the records are more than a frame holds. A line that is no record (no JSON, no
   * timestamp) is left out: `unreadable` is told its number.
   */
  rebuild(id: string, records: readonly RebuildRecord[], unreadable: (n: number) => void): Rebuilt[]
}

const KERNEL_OWN_BYTES = 5 * 1024 * 1024
const LABEL_PREFIX = 'kubernetes.labels.'
/** Stands for a record that is not there; it has no fields, and is not sent. */
const FILLING = Buffer.from('{0}\n')
/** The bound is one of raw bodies: records, filling and index. */
const RAW_BYTES_MAX = FRAME_BYTES_MAX - 64 * 1024
const NUMBERS_MAX = Math.floor(RAW_BYTES_MAX / 4 / INDEX_ENTRY_BYTES)

interface Parsed {
  readonly n: number
  readonly bytes: Buffer
  readonly tsNs: bigint
  readonly stream: StreamFields
  readonly traceId: string | undefined
}

export function createRebuilder(): Rebuilder {
  const kernel = createKernel({
    memoryBytes: KERNEL_OWN_BYTES + frameCodecBytes() + 2 * FRAME_BYTES_MAX + 256,
  })
  const codec = createFrameCodec(kernel)
  const ndjsonPtr = kernel.alloc(FRAME_BYTES_MAX, 64)
  const indexPtr = kernel.alloc(FRAME_BYTES_MAX, 64)

  function seal(id: string, records: readonly Parsed[]): Rebuilt {
    const streams: StreamFields[] = []
    const numbers = new Map<string, number>()
    const count = (records.at(-1)?.n ?? 0) + 1
    const [first] = records
    let at = 0
    let next = 0
    function put(n: number, bytes: Uint8Array, tsNs: bigint, stream: number, trace?: string): void {
      const { u8, view } = kernel
      u8.set(bytes, ndjsonPtr + at)
      const entry = indexPtr + n * INDEX_ENTRY_BYTES
      const traceAt = trace === undefined ? -1 : Buffer.from(bytes).indexOf(`"trace_id":"${trace}"`)
      view.setBigInt64(entry, tsNs, true)
      view.setUint32(entry + 8, at, true)
      view.setUint32(entry + 12, bytes.length - 1, true)
      view.setUint32(entry + 16, stream, true)
      view.setFloat32(entry + 20, 1, true)
      view.setUint32(entry + 24, traceAt < 0 ? 0 : traceAt + 12, true)
      view.setUint32(entry + 28, traceAt < 0 ? 0 : Buffer.byteLength(trace ?? ''), true)
      at += bytes.length
    }
    for (const record of records) {
      const key = JSON.stringify(record.stream)
      const stream = numbers.get(key) ?? streams.push(record.stream) - 1
      numbers.set(key, stream)
      // The filling lies at a time and in a stream that are there anyway, so that it changes nothing in the encoders.
      for (; next < record.n; next++) put(next, FILLING, first?.tsNs ?? 0n, 0)
      put(record.n, record.bytes, record.tsNs, stream, record.traceId)
      next = record.n + 1
    }
    const times = records.map(({ tsNs }) => Number(tsNs / 1_000_000n))
    const minTsMs = times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
    const maxTsMs = times.reduce((a, b) => Math.max(a, b), 0)
    const header = { id, node: '', madeMs: 0, count, streams, positions: [], minTsMs, maxTsMs }
    const { encoded } = codec.seal({ header, ndjsonPtr, ndjsonBytes: at, indexPtr })
    return { encoded: encoded.slice(), numbers: new Set(records.map(({ n }) => n)) }
  }

  return {
    rebuild(id, records, unreadable) {
      const frames: Rebuilt[] = []
      let open: Parsed[] = []
      let bytes = 0
      for (const record of records.toSorted((a, b) => a.n - b.n)) {
        const parsed = record.n < NUMBERS_MAX ? parse(record) : undefined
        if (parsed === undefined) {
          unreadable(record.n)
          continue
        }
        const last = open.at(-1)?.n ?? -1
        // Two of one number cannot be told apart by their id: the first stands.
        if (parsed.n === last) continue
        const all = (n: number, more: number) => bytes + more + n * (INDEX_ENTRY_BYTES + FILLING.length)
        if (open.length > 0 && all(parsed.n + 1, parsed.bytes.length) > RAW_BYTES_MAX) {
          frames.push(seal(id, open))
          open = []
          bytes = 0
        }
        open.push(parsed)
        bytes += parsed.bytes.length
      }
      if (open.length > 0) frames.push(seal(id, open))
      return frames
    },
  }
}

function parse({ n, line, tsNs }: RebuildRecord): Parsed | undefined {
  let fields: Record<string, unknown>
  try {
    fields = JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined
  }
  const timestamp = fields['timestamp']
  const ns = tsNs ?? (typeof timestamp === 'string' ? timeOf(timestamp, n) : undefined)
  if (ns === undefined || line.includes('\n')) return undefined
  const trace = fields['trace_id']
  return {
    n,
    bytes: Buffer.from(`${line}\n`),
    tsNs: ns,
    stream: streamOf(fields),
    traceId: typeof trace === 'string' && trace !== '' ? trace : undefined,
  }
}

/** RFC 3339 in UTC, as canonical records have it; the digits that it does not have are filled with the record's number. */
function timeOf(timestamp: string, n: number): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(timestamp)
  const seconds = Date.parse(`${match?.[1] ?? ''}Z`)
  if (Number.isNaN(seconds)) return undefined
  const digits = match?.[2] ?? ''
  const free = 10 ** (9 - digits.length)
  return BigInt(seconds) * 1_000_000n + BigInt(digits.padEnd(9, '0')) + BigInt(n % free)
}

function streamOf(fields: Readonly<Record<string, unknown>>): StreamFields {
  const text = (name: string): string | undefined => {
    const value = fields[name]
    return typeof value === 'string' ? value : undefined
  }
  const labels = Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) =>
      name.startsWith(LABEL_PREFIX) && typeof value === 'string'
        ? [[name.slice(LABEL_PREFIX.length), value] as const]
        : [],
    ),
  )
  const optional = ['pod_uid', 'pod_name', 'container_name', 'node_name'].flatMap((name) => {
    const value = text(name)
    return value === undefined ? [] : [[name, value] as const]
  })
  return {
    service_name: text('service_name') ?? 'unknown',
    namespace: text('namespace') ?? 'unknown',
    cluster_id: text('cluster_id') ?? 'unknown',
    log_level: text('log_level') ?? 'unknown',
    log_type: text('log_type') ?? 'app',
    ...Object.fromEntries(optional),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
  }
}
