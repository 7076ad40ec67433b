// The snappy decompressor (block format): strict, for bytes from disk and network, so every length and offset is checked before it is used.

const MALFORMED: i32 = -1
/** Row d (1 to 15): i mod d for i = 0..15, the swizzle that repeats the last d bytes over a vector. */
const REPEATS: usize = memory.data(256, 16)
for (let distance: usize = 1; distance < 16; distance++) {
  for (let i: usize = 0; i < 16; i++) store<u8>(REPEATS + (distance << 4) + i, <u8>(i % distance))
}

/** Where the elements begin, set by readLength. */
let elements: usize = 0

/** The varint at the block's start: 1 to 5 bytes, below 2^32; -1 when there is none. */
function readLength(at: usize, end: usize): i64 {
  let value: u64 = 0
  for (let shift: u64 = 0; shift < 35; shift += 7) {
    if (at >= end) return -1
    const byte = <u64>load<u8>(at)
    at++
    value |= (byte & 127) << shift
    if (byte < 128) {
      elements = at
      return value > 0xffffffff ? -1 : <i64>value
    }
  }
  return -1
}

/** Returns the length of the output, or -1: malformed, shorter or longer than its head says, or longer than `outMax`. */
export function snappyDecompress(inPtr: usize, len: usize, outPtr: usize, outMax: usize): i32 {
  const inEnd = inPtr + len
  const total = readLength(inPtr, inEnd)
  if (total < 0 || total > <i64>outMax || total > 0x7fffffff) return MALFORMED
  const outEnd = outPtr + <usize>total
  let at = elements
  let out = outPtr
  while (at < inEnd) {
    const tag = <u32>load<u8>(at)
    at++
    if ((tag & 3) == 0) {
      let length: usize = (tag >>> 2) + 1
      if (length > 60) {
        const more: usize = length - 60
        if (inEnd - at < more) return MALFORMED
        length = <usize>readLittle(at, more)
        // 2^32 - 1 + 1 would wrap to 0; no output is that long
        if (length >= 0x7fffffff) return MALFORMED
        length++
        at += more
      }
      if (inEnd - at < length || outEnd - out < length) return MALFORMED
      copyLiteral(out, at, length, inEnd, outEnd)
      at += length
      out += length
      continue
    }
    let length: usize
    let offset: usize
    if ((tag & 3) == 1) {
      if (at >= inEnd) return MALFORMED
      length = ((tag >>> 2) & 7) + 4
      offset = <usize>(((tag >>> 5) << 8) | <u32>load<u8>(at))
      at++
    } else {
      const bytes: usize = (tag & 3) == 2 ? 2 : 4
      if (inEnd - at < bytes) return MALFORMED
      length = (tag >>> 2) + 1
      offset = <usize>readLittle(at, bytes)
      at += bytes
    }
    if (offset == 0 || offset > out - outPtr || outEnd - out < length) return MALFORMED
    copyBack(out, offset, length, outEnd)
    out += length
  }
  return out == outEnd ? <i32>total : MALFORMED
}

/** 1 to 4 bytes, little endian, read one by one: nothing past them is touched. */
function readLittle(at: usize, bytes: usize): u32 {
  let value = <u32>load<u8>(at)
  if (bytes > 1) value |= (<u32>load<u8>(at, 1)) << 8
  if (bytes > 2) value |= (<u32>load<u8>(at, 2)) << 16
  if (bytes > 3) value |= (<u32>load<u8>(at, 3)) << 24
  return value
}

function copyLiteral(out: usize, from: usize, length: usize, inEnd: usize, outEnd: usize): void {
  if (length <= 64 && inEnd - from >= 64 && outEnd - out >= 64) {
    v128.store(out, v128.load(from))
    if (length > 16) {
      v128.store(out, v128.load(from, 16), 16)
      v128.store(out, v128.load(from, 32), 32)
      v128.store(out, v128.load(from, 48), 48)
    }
    return
  }
  memory.copy(out, from, length)
}

/** Repeats what was written `offset` bytes ago; vector steps where the output has room for the overshoot, else byte by byte. */
function copyBack(out: usize, offset: usize, length: usize, outEnd: usize): void {
  const end = out + length
  const from = out - offset
  if (outEnd - end < 16) {
    for (let i: usize = 0; i < length; i++) store<u8>(out + i, load<u8>(from + i))
    return
  }
  if (offset >= 16) {
    // a vector read ends at or before the byte that is written next, so overlapping ranges repeat rightly
    for (let i: usize = 0; i < length; i += 16) v128.store(out + i, v128.load(from + i))
    return
  }
  const repeated = i8x16.swizzle(v128.load(from), v128.load(REPEATS + (offset << 4)))
  const step = <usize>(16 - (16 % <u32>offset))
  while (out < end) {
    v128.store(out, repeated)
    out += step
  }
}
