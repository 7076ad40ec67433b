// Hashes and comparison of short byte ranges, without branches on their exact length. Up to 16 bytes past a range are read.

const K1: u64 = 0x9e3779b97f4a7c15
const K2: u64 = 0xff51afd7ed558ccd
/** Chosen so that the known member names differ in the top seven bits of their hashes (names.ts). */
const KL: u64 = 0x42a3c1ebbcd33d3f

/** The first eight bytes, or all of a shorter range with zeros behind. */
export function headWord(at: usize, length: usize): u64 {
  const word = load<u64>(at)
  return length < 8 ? word & (((<u64>1) << ((<u64>length) << 3)) - 1) : word
}

/** The last eight bytes, 0 for a range shorter than that. */
export function tailWord(at: usize, length: usize): u64 {
  return length < 8 ? 0 : load<u64>(at + length - 8)
}

/** Hash of a range of at most 16 bytes from its words; the upper half is the good one. */
export function hashWords(head: u64, tail: u64, length: usize): u64 {
  return (head ^ (<u64>length * KL)) * K1 + tail * K2
}

/** Mixes the bytes between the first and the last eight of a range longer than 16 into its hash. */
export function hashMiddle(hash: u64, at: usize, length: usize): u64 {
  const last = at + length - 8
  for (at += 8; at < last; at += 8) {
    hash = (hash ^ load<u64>(at)) * K2
    hash ^= hash >> 32
  }
  return hash * K1
}

/** Hash of any range. */
export function hashBytes(at: usize, length: usize): u64 {
  const hash = hashWords(headWord(at, length), tailWord(at, length), length)
  return length > 16 ? hashMiddle(hash, at, length) : hash
}

export function sameBytes(a: usize, b: usize, length: usize): bool {
  while (length >= 8) {
    if (load<u64>(a) != load<u64>(b)) return false
    a += 8
    b += 8
    length -= 8
  }
  return headWord(a, length) == headWord(b, length)
}
