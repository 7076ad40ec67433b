// The formats that bench serialization compares, each as a pair of functions over the same record.
import { jsonLine } from '../generate/lines.js'
import { levelAt, MISSION_MIX } from '../generate/mix.js'
import { seededRandom } from '../generate/random.js'

export interface LogRecord {
  readonly ts: string
  readonly level: string
  readonly service_name: string
  readonly msg: string
  readonly seq: number
  readonly caller: string
  readonly trace_id: string
  readonly span_id: string
  readonly http: { readonly method: string; readonly path: string; readonly status: number }
  readonly latency_ms: number
  readonly amount_usd: number
  readonly user_agent: string
}

export interface Codec {
  encode(record: LogRecord): Uint8Array
  decode(bytes: Uint8Array): unknown
}

/** Loaded on demand: some of the packages are for development only. */
export const CODECS: Readonly<Record<string, () => Promise<Codec>>> = {
  JSON: async () => ({
    encode: (record) => Buffer.from(JSON.stringify(record)),
    decode: (bytes) => JSON.parse((bytes as Buffer).toString()) as unknown,
  }),
  async msgpack() {
    const { Packr } = await import('msgpackr')
    // useRecords would be msgpackr's own extension, which no other reader knows.
    const packr = new Packr({ useRecords: false })
    return { encode: (record) => packr.pack(record), decode: (bytes) => packr.unpack(bytes) as unknown }
  },
  async CBOR() {
    const { Encoder } = await import('cbor-x')
    const encoder = new Encoder({ useRecords: false, tagUint8Array: false })
    return {
      encode: (record) => encoder.encode(record),
      decode: (bytes) => encoder.decode(bytes as Buffer) as unknown,
    }
  },
  async Protobuf() {
    const { default: protobuf } = await import('protobufjs')
    const type = protobuf.Root.fromJSON(SCHEMA).lookupType('LogRecord')
    return {
      encode: (record) => type.encode(record).finish(),
      decode: (bytes) => type.decode(bytes),
    }
  },
}

const text = (id: number) => ({ type: 'string', id })
const SCHEMA = {
  nested: {
    Http: { fields: { method: text(1), path: text(2), status: { type: 'uint32', id: 3 } } },
    LogRecord: {
      fields: {
        ts: text(1),
        level: text(2),
        service_name: text(3),
        msg: text(4),
        seq: { type: 'uint64', id: 5 },
        caller: text(6),
        trace_id: text(7),
        span_id: text(8),
        http: { type: 'Http', id: 9 },
        latency_ms: { type: 'double', id: 10 },
        amount_usd: { type: 'uint32', id: 11 },
        user_agent: text(12),
      },
    },
  },
}

const STAMP = '2026-01-02T03:04:05.678901234Z'

/** JSON texts of records; the same for the same number. */
export function sampleLines(count: number): string[] {
  const random = seededRandom(1)
  return Array.from({ length: count }, (_, seq) =>
    jsonLine({ service: 'payment-api', seq, stamp: STAMP, random }, levelAt(MISSION_MIX, random())),
  )
}
