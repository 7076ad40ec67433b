// JSON strings from raw text: `"`, `\` and bytes below 32 are escaped as JSON.stringify does it.

/** The letter after the backslash for each byte below 32; 0 where \u00XX is needed. */
// prettier-ignore
const SHORT: usize = memory.data<u8>(
  [0, 0, 0, 0, 0, 0, 0, 0, 98, 116, 110, 0, 102, 114, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  16,
)

function specialMask(block: v128): i32 {
  const quote = i8x16.eq(block, i8x16.splat(34))
  const backslash = i8x16.eq(block, i8x16.splat(92))
  return i8x16.bitmask(v128.or(v128.or(quote, backslash), i8x16.lt_u(block, i8x16.splat(32))))
}

/** Length of the text [start, end) once it is escaped. */
export function escapedLength(start: usize, end: usize): usize {
  let length = end - start
  for (let at = start; at < end; at += 16) {
    let mask = specialMask(v128.load(at))
    if (end - at < 16) mask &= (1 << (<i32>(end - at))) - 1
    while (mask != 0) {
      const byte = <usize>load<u8>(at + <usize>ctz(mask))
      length += byte >= 32 || load<u8>(SHORT + byte) != 0 ? 1 : 5
      mask &= mask - 1
    }
  }
  return length
}

function putEscape(to: usize, byte: u32): usize {
  store<u8>(to, 92)
  const short = byte < 32 ? load<u8>(SHORT + <usize>byte) : <u8>byte
  if (short != 0) {
    store<u8>(to, short, 1)
    return to + 2
  }
  store<u32>(to, 0x30303075, 1)
  store<u8>(to, 48 + (byte >> 4), 4)
  const low = byte & 15
  store<u8>(to, low < 10 ? 48 + low : 87 + low, 5)
  return to + 6
}

/** Writes the text [start, end), escaped, without quotes; touches 16 bytes past the result. Returns the address after it. */
export function writeEscaped(to: usize, start: usize, end: usize): usize {
  let at = start
  while (at < end) {
    const block = v128.load(at)
    v128.store(to, block)
    const left = end - at
    const mask = specialMask(block)
    const clean = mask == 0 ? <usize>16 : <usize>ctz(mask)
    if (clean >= left) return to + left
    at += clean
    to += clean
    if (mask != 0) {
      to = putEscape(to, load<u8>(at))
      at++
    }
  }
  return to
}
