// Structured metadata of Loki entries as protobuf label pairs, made once for many entries.

const encoder = new TextEncoder()

/** Protobuf base 128 varint of a length (below 2^31). */
function pushVarint(into: number[], value: number): void {
  let rest = value
  for (; rest >= 128; rest >>>= 7) into.push((rest & 127) | 128)
  into.push(rest)
}

/** EntryAdapter.structuredMetadata: each pair as field 3, a LabelPairAdapter { 1: name, 2: value }. */
export function encodeMetadata(pairs: readonly (readonly [string, string])[]): Uint8Array {
  const all: number[] = []
  for (const [name, value] of pairs) {
    const pair: number[] = []
    for (const [tag, text] of [
      [0x0a, name],
      [0x12, value],
    ] as const) {
      const bytes = encoder.encode(text)
      if (bytes.length === 0) continue
      pair.push(tag)
      pushVarint(pair, bytes.length)
      for (const byte of bytes) pair.push(byte)
    }
    all.push(0x1a)
    pushVarint(all, pair.length)
    for (const byte of pair) all.push(byte)
  }
  return Uint8Array.from(all)
}
