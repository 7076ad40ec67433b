// Decodes snappy's block format (https://github.com/google/snappy/blob/main/format_description.txt) in plain code.

/** Throws where the input is no valid block or would unpack to more than `bytesMax`. */
export function snappyDecode(input: Uint8Array, bytesMax: number): Buffer {
  const [length, start] = readLength(input)
  if (length > bytesMax) throw new Error(`snappy: decoded block is too large (${length} > ${bytesMax})`)
  const output = Buffer.allocUnsafe(length)
  let at = start
  let to = 0
  const corrupt = () => new Error('snappy: corrupt input')
  while (at < input.length) {
    const tag = input[at++] ?? 0
    if ((tag & 3) === 0) {
      let size = (tag >> 2) + 1
      if (size > 60) {
        const extra = size - 60
        size = littleEndian(input, at, extra) + 1
        at += extra
      }
      if (at + size > input.length || to + size > length) throw corrupt()
      output.set(input.subarray(at, at + size), to)
      at += size
      to += size
      continue
    }
    const copy = readCopy(input, at, tag)
    at = copy.next
    if (at > input.length || copy.offset === 0 || copy.offset > to || to + copy.size > length) throw corrupt()
    copyWithin(output, to, copy.offset, copy.size)
    to += copy.size
  }
  if (to !== length) throw corrupt()
  return output
}

/** The decoded length: a varint of up to 32 bits, and where the data begins. */
function readLength(input: Uint8Array): [number, number] {
  let length = 0
  for (let at = 0; at < 5 && at < input.length; at++) {
    const byte = input[at] ?? 0
    length += (byte & 0x7f) * 2 ** (7 * at)
    if (byte < 0x80 && length <= 0xffffffff) return [length, at + 1]
    if (byte < 0x80) break
  }
  throw new Error('snappy: corrupt input')
}

function readCopy(
  input: Uint8Array,
  at: number,
  tag: number,
): { offset: number; size: number; next: number } {
  const kind = tag & 3
  if (kind === 1) {
    return { size: ((tag >> 2) & 7) + 4, offset: ((tag >> 5) << 8) | (input[at] ?? 0), next: at + 1 }
  }
  const width = kind === 2 ? 2 : 4
  return { size: (tag >> 2) + 1, offset: littleEndian(input, at, width), next: at + width }
}

/** A copy may overlap its own output: then the pattern repeats. */
function copyWithin(output: Buffer, to: number, offset: number, size: number): void {
  if (offset >= size) output.copyWithin(to, to - offset, to - offset + size)
  else for (let index = 0; index < size; index++) output[to + index] = output[to - offset + index] ?? 0
}

function littleEndian(input: Uint8Array, at: number, width: number): number {
  let value = 0
  for (let index = width - 1; index >= 0; index--) value = value * 256 + (input[at + index] ?? 0)
  return value
}
