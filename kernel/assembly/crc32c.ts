// CRC-32C (Castagnoli, RFC 3720 appendix B.4): the checksum of frames, sixteen bytes a step from tables that are built at start.

const POLYNOMIAL: u32 = 0x82f63b78
const TABLES: usize = memory.data(16 * 1024, 16)

for (let n: u32 = 0; n < 256; n++) {
  let crc = n
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (POLYNOMIAL & (0 - (crc & 1)))
  store<u32>(TABLES + ((<usize>n) << 2), crc)
}
for (let n: u32 = 0; n < 256; n++) {
  let crc = load<u32>(TABLES + ((<usize>n) << 2))
  for (let table: usize = 1; table < 16; table++) {
    crc = load<u32>(TABLES + ((<usize>(crc & 255)) << 2)) ^ (crc >>> 8)
    store<u32>(TABLES + (table << 10) + ((<usize>n) << 2), crc)
  }
}

/** Table `table`'s value for byte `shift / 8` of `word`. */
function at(table: usize, word: u32, shift: u32): u32 {
  return load<u32>(TABLES + (table << 10) + ((<usize>((word >>> shift) & 255)) << 2))
}

function four(table: usize, word: u32): u32 {
  return at(table + 3, word, 0) ^ at(table + 2, word, 8) ^ at(table + 1, word, 16) ^ at(table, word, 24)
}

/** The crc of `len` bytes; `seed` is 0 or the crc of the bytes before them, so a range may be fed in pieces. */
export function crc32c(ptr: usize, len: usize, seed: u32): u32 {
  let crc = ~seed
  const end = ptr + len
  while (ptr + 16 <= end) {
    crc =
      four(12, load<u32>(ptr) ^ crc) ^
      four(8, load<u32>(ptr, 4)) ^
      four(4, load<u32>(ptr, 8)) ^
      four(0, load<u32>(ptr, 12))
    ptr += 16
  }
  while (ptr < end) {
    crc = (crc >>> 8) ^ at(0, crc ^ <u32>load<u8>(ptr), 0)
    ptr++
  }
  return ~crc
}
