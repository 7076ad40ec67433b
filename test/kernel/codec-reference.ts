// Plain decoders that the kernel's codecs are compared with: a strict snappy decompressor and a protobuf reader, byte by byte.

/** The output of a snappy block, or undefined when any rule of the format is broken or it is longer than `outMax`. */
export function referenceDecompress(block: Uint8Array, outMax: number): Uint8Array | undefined {
  let at = 0
  const little = (bytes: number): number | undefined => {
    if (at + bytes > block.length) return undefined
    let value = 0
    for (let i = 0; i < bytes; i++) value += (block[at++] ?? 0) * 2 ** (8 * i)
    return value
  }
  let total = 0
  for (let i = 0; ; i++) {
    const byte = little(1)
    if (byte === undefined || i === 5) return undefined
    total += (byte & 127) * 2 ** (7 * i)
    if (byte < 128) break
  }
  if (total > 0xffffffff || total > outMax) return undefined
  const out: number[] = []
  while (at < block.length) {
    const tag = block[at++] ?? 0
    if ((tag & 3) === 0) {
      const more = Math.max(0, (tag >>> 2) - 59)
      const less = more === 0 ? tag >>> 2 : little(more)
      if (less === undefined || at + less + 1 > block.length || out.length + less + 1 > total)
        return undefined
      for (let i = 0; i <= less; i++) out.push(block[at++] ?? 0)
      continue
    }
    const short = (tag & 3) === 1
    const low = little(short ? 1 : (tag & 3) === 2 ? 2 : 4)
    if (low === undefined) return undefined
    const offset = short ? (tag >>> 5) * 256 + low : low
    const length = short ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
    if (offset === 0 || offset > out.length || out.length + length > total) return undefined
    for (let i = 0; i < length; i++) out.push(out[out.length - offset] ?? 0)
  }
  return out.length === total ? Uint8Array.from(out) : undefined
}

export interface ProtoField {
  readonly field: number
  /** Wire type 0 gives a number, wire type 2 bytes. */
  readonly value: bigint | Uint8Array
}

/** The fields of a protobuf message in their order; throws on anything cut, on other wire types and on over-long varints. */
export function readProto(bytes: Uint8Array): ProtoField[] {
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++]
      if (byte === undefined) throw new Error('cut varint')
      value |= BigInt(byte & 127) << shift
      if (byte >= 128) continue
      if (byte === 0 && shift > 0n) throw new Error('over-long varint')
      return value
    }
    throw new Error('varint without an end')
  }
  const fields: ProtoField[] = []
  while (at < bytes.length) {
    const key = Number(varint())
    if ((key & 7) === 0) {
      fields.push({ field: key >>> 3, value: varint() })
      continue
    }
    if ((key & 7) !== 2) throw new Error(`wire type ${key & 7}`)
    const length = Number(varint())
    if (at + length > bytes.length) throw new Error('cut field')
    fields.push({ field: key >>> 3, value: bytes.slice(at, at + length) })
    at += length
  }
  return fields
}

/** One Loki entry as text and numbers. */
export interface ReadEntry {
  readonly tsNs: bigint
  readonly line: string
  readonly metadata: readonly (readonly [string, string])[]
}

const text = (value: bigint | Uint8Array | undefined): string =>
  value instanceof Uint8Array ? Buffer.from(value).toString() : ''
const part = (fields: ProtoField[], field: number): bigint | Uint8Array | undefined =>
  fields.find((candidate) => candidate.field === field)?.value
const message = (value: bigint | Uint8Array | undefined): ProtoField[] =>
  readProto(value instanceof Uint8Array ? value : new Uint8Array(0))

/** The entries of a StreamAdapter's content (field 2), in their order. */
export function readEntries(stream: ProtoField[]): ReadEntry[] {
  return stream
    .filter(({ field }) => field === 2)
    .map(({ value }) => {
      const entry = message(value)
      const time = message(part(entry, 1))
      const seconds = BigInt.asIntN(64, BigInt(String(part(time, 1) ?? 0n)))
      const nanos = BigInt(String(part(time, 2) ?? 0n))
      const metadata = entry
        .filter(({ field }) => field === 3)
        .map(({ value: pair }) => [text(part(message(pair), 1)), text(part(message(pair), 2))] as const)
      return { tsNs: seconds * 1_000_000_000n + nanos, line: text(part(entry, 2)), metadata }
    })
}

/** The streams of a PushRequest. */
export function readPush(bytes: Uint8Array): { labels: string; entries: ReadEntry[] }[] {
  return readProto(bytes).map(({ field, value }) => {
    if (field !== 1) throw new Error(`PushRequest field ${field}`)
    const stream = message(value)
    return { labels: text(part(stream, 1)), entries: readEntries(stream) }
  })
}
