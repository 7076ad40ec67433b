// Reads Loki's protobuf push request (pkg/push/push.proto): streams, entries, structured metadata.

export type PushEntry = {
  readonly timestampNs: bigint
  readonly line: string
  readonly metadata: readonly (readonly [name: string, value: string])[]
}
export type PushStream = { readonly labels: string; readonly entries: readonly PushEntry[] }

type Field = { readonly number: number; readonly bytes: Buffer; readonly value: number }

const empty = Buffer.alloc(0)

/** Throws on bytes that are no protobuf message. */
export function decodePush(body: Buffer): PushStream[] {
  const streams: PushStream[] = []
  eachField(body, ({ number, bytes }) => {
    if (number === 1) streams.push(decodeStream(bytes))
  })
  return streams
}

/** How many entries a push holds, without reading them. */
export function countEntries(body: Buffer): number {
  let count = 0
  eachField(body, ({ number, bytes }) => {
    if (number !== 1) return
    eachField(bytes, (inner) => {
      if (inner.number === 2) count++
    })
  })
  return count
}

function decodeStream(body: Buffer): PushStream {
  let labels = ''
  const entries: PushEntry[] = []
  eachField(body, ({ number, bytes }) => {
    if (number === 1) labels = bytes.toString()
    else if (number === 2) entries.push(decodeEntry(bytes))
  })
  return { labels, entries }
}

function decodeEntry(body: Buffer): PushEntry {
  let timestampNs = 0n
  let line = ''
  const metadata: (readonly [string, string])[] = []
  eachField(body, ({ number, bytes }) => {
    if (number === 1) timestampNs = decodeTimestamp(bytes)
    else if (number === 2) line = bytes.toString()
    else if (number === 3) metadata.push(decodePair(bytes))
  })
  return { timestampNs, line, metadata }
}

/** google.protobuf.Timestamp: seconds and nanoseconds. */
function decodeTimestamp(body: Buffer): bigint {
  let seconds = 0
  let nanos = 0
  eachField(body, ({ number, value }) => {
    if (number === 1) seconds = value
    else if (number === 2) nanos = value
  })
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanos)
}

function decodePair(body: Buffer): readonly [string, string] {
  let name = ''
  let value = ''
  eachField(body, ({ number, bytes }) => {
    if (number === 1) name = bytes.toString()
    else if (number === 2) value = bytes.toString()
  })
  return [name, value]
}

/** Wire types: 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes (https://protobuf.dev/programming-guides/encoding). */
function eachField(body: Buffer, visit: (field: Field) => void): void {
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = body[at++]
      if (byte === undefined) throw new Error('unexpected EOF')
      // Above 2^53 only a stream's hash and a negative time are: neither is exact here, neither is used.
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new Error('proto: integer overflow')
  }
  while (at < body.length) {
    const key = varint()
    const number = Math.floor(key / 8)
    if (number === 0) throw new Error(`proto: illegal tag 0 (wire type ${key % 8})`)
    const wire = key % 8
    if (wire === 0) {
      visit({ number, bytes: empty, value: varint() })
      continue
    }
    const size = wire === 1 ? 8 : wire === 5 ? 4 : wire === 2 ? varint() : Number.NaN
    if (!(at + size <= body.length))
      throw new Error(Number.isNaN(size) ? `proto: wrong wireType = ${wire}` : 'unexpected EOF')
    visit({ number, bytes: body.subarray(at, at + size), value: 0 })
    at += size
  }
}
