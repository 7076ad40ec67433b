// Decimal digits of ASCII, eight at a time.

const ZEROS: u64 = 0x3030303030303030

/** Eight bytes with '0' taken away: those of digits hold their values then, the first byte the lowest. */
export function eightAt(at: usize): u64 {
  return load<u64>(at) ^ ZEROS
}

/** Of bytes from eightAt: the top bit of the first that is no digit is set, and of none before it; 0 where all are digits. */
export function notDigits(word: u64): u64 {
  return ((word + 0x7676767676767676) | word) & 0x8080808080808080
}
