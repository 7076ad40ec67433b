// Writes Loki's protobuf push request (pkg/push/push.proto), plainly, for the contract tests.
import snappy from 'snappyjs'

export type Entry = {
  readonly timestampNs: bigint
  readonly line: string
  readonly metadata?: Readonly<Record<string, string>>
}
export type StreamOf = {
  readonly labels: Readonly<Record<string, string>> | string
  readonly entries: readonly Entry[]
}

/** The push's body: protobuf in snappy's block format. */
export function encodePush(streams: readonly StreamOf[]): Uint8Array {
  return snappy.compress(Buffer.concat(streams.map((stream) => field(1, encodeStream(stream)))))
}

function encodeStream({ labels, entries }: StreamOf): Buffer {
  const pairs = typeof labels === 'string' ? [] : Object.entries(labels)
  const text =
    typeof labels === 'string'
      ? labels
      : `{${pairs.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(', ')}}`
  return Buffer.concat([field(1, text), ...entries.map((entry) => field(2, encodeEntry(entry)))])
}

function encodeEntry({ timestampNs, line, metadata = {} }: Entry): Buffer {
  const second = 1_000_000_000n
  const timestamp = Buffer.concat([number(1, timestampNs / second), number(2, timestampNs % second)])
  const pairs = Object.entries(metadata).map(([name, value]) =>
    field(3, Buffer.concat([field(1, name), field(2, value)])),
  )
  return Buffer.concat([field(1, timestamp), field(2, line), ...pairs])
}

function field(id: number, content: string | Buffer): Buffer {
  const bytes = Buffer.from(content)
  return Buffer.concat([varint(BigInt((id << 3) | 2)), varint(BigInt(bytes.length)), bytes])
}

const number = (id: number, value: bigint): Buffer => Buffer.concat([varint(BigInt(id << 3)), varint(value)])

function varint(value: bigint): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  return Buffer.from([...bytes, Number(rest)])
}
