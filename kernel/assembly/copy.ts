// Copies of short and middling byte ranges with vector stores: cheaper than memory.copy, which is a call in every engine.

/** Bytes that copyWide may read and write past the range. */
export const COPY_SLACK: usize = 15

/** Copies `length` bytes; reads and writes whole vectors, so up to COPY_SLACK bytes past both ends may be touched. Ranges do not overlap. */
export function copyWide(to: usize, from: usize, length: usize): void {
  const end = to + length
  while (to + 64 <= end) {
    v128.store(to, v128.load(from))
    v128.store(to, v128.load(from, 16), 16)
    v128.store(to, v128.load(from, 32), 32)
    v128.store(to, v128.load(from, 48), 48)
    to += 64
    from += 64
  }
  while (to < end) {
    v128.store(to, v128.load(from))
    to += 16
    from += 16
  }
}

/** Number of decimal digits of `n`. */
export function decimalLength(n: u32): u32 {
  if (n < 100) return n < 10 ? 1 : 2
  if (n < 10000) return n < 1000 ? 3 : 4
  if (n < 1000000) return n < 100000 ? 5 : 6
  if (n < 100000000) return n < 10000000 ? 7 : 8
  return n < 1000000000 ? 9 : 10
}

/** Writes `n` as `digits` decimal digits and returns the address after them. */
export function writeDecimal(to: usize, n: u32, digits: u32): usize {
  const end = to + <usize>digits
  let at = end
  while (at > to) {
    const tenth = n / 10
    at--
    store<u8>(at, 48 + (n - tenth * 10))
    n = tenth
  }
  return end
}
