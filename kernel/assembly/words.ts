// Level words and numbers: which of TRACE 1 … FATAL 6 a text means.

const L_TRC: u64 = 0x637274
const L_DBG: u64 = 0x676264
const L_LOG: u64 = 0x676f6c
const L_WRN: u64 = 0x6e7277
const L_ERR: u64 = 0x727265
const L_INFO: u64 = 0x6f666e69
const L_WARN: u64 = 0x6e726177
const L_EROR: u64 = 0x726f7265
const L_CRIT: u64 = 0x74697263
const L_TRACE: u64 = 0x6563617274
const L_DEBUG: u64 = 0x6775626564
const L_ERROR: u64 = 0x726f727265
const L_FATAL: u64 = 0x6c61746166
const L_ALERT: u64 = 0x7472656c61
const L_EMERG: u64 = 0x6772656d65
const L_PANIC: u64 = 0x63696e6170
const L_NOTICE: u64 = 0x656369746f6e
const L_SEVERE: u64 = 0x657265766573
const L_DPANIC: u64 = 0x63696e617064
const L_VERBOSE: u64 = 0x65736f62726576
const L_WARNING: u64 = 0x676e696e726177
/** The first eight bytes of the longer words, then their rests. */
const L_CRITICAL: u64 = 0x6c61636974697263
const L_EMERGENC: u64 = 0x636e656772656d65
const L_INFORMAT: u64 = 0x74616d726f666e69
const L_ION: u64 = 0x6e6f69
const L_IONAL: u64 = 0x6c616e6f69

const LOWER: u64 = 0x2020202020202020

/** Longest level word: informational. */
export const WORD_MAX: usize = 13

function shortWord(word: u64): u32 {
  if (word == L_INFO || word == L_LOG || word == L_NOTICE) return 3
  if (word == L_ERROR || word == L_ERR || word == L_EROR) return 5
  if (word == L_WARN || word == L_WARNING || word == L_WRN) return 4
  if (word == L_DEBUG || word == L_DBG) return 2
  if (word == L_TRACE || word == L_TRC || word == L_VERBOSE) return 1
  if (word == L_FATAL || word == L_CRIT || word == L_PANIC || word == L_SEVERE) return 6
  if (word == L_ALERT || word == L_EMERG || word == L_DPANIC) return 6
  return 0
}

/** Level of a word of three to 13 letters in any case, 0 when it is none. Reads 16 bytes at `at`. */
export function levelOfWord(at: usize, length: usize): u32 {
  if (length < 3 || length > WORD_MAX) return 0
  const first = load<u64>(at) | LOWER
  if (length < 8) {
    const mask = ((<u64>1) << (<u64>length << 3)) - 1
    return shortWord(first & mask)
  }
  const rest = load<u64>(at, 8) | LOWER
  if (length == 8) return first == L_CRITICAL ? 6 : 0
  if (length == 9) return first == L_EMERGENC && (rest & 0xff) == 121 ? 6 : 0
  if (first != L_INFORMAT) return 0
  if (length == 11) return (rest & 0xffffff) == L_ION ? 3 : 0
  return length == 13 && (rest & 0xffffffffff) == L_IONAL ? 3 : 0
}

/** pino and bunyan count 10 to 69, syslog 0 to 7. */
function levelOfNumber(value: u32): u32 {
  if (value >= 10) return value < 70 ? value / 10 : 0
  if (value <= 2) return 6
  if (value == 3) return 5
  if (value == 4) return 4
  if (value <= 6) return 3
  return value == 7 ? 2 : 0
}

function levelOfLetter(letter: u32): u32 {
  if (letter == 105) return 3
  if (letter == 101) return 5
  if (letter == 119) return 4
  if (letter == 100) return 2
  if (letter == 116) return 1
  return letter == 102 ? 6 : 0
}

/** Level of a whole value: a word, a single letter, or a number of one or two digits; 0 when unreadable. */
export function levelOfValue(at: usize, length: usize): u32 {
  if (length >= 3) return levelOfWord(at, length)
  if (length == 0) return 0
  const first = <u32>load<u8>(at)
  const tens = first - 48
  if (length == 1) return tens <= 9 ? levelOfNumber(tens) : levelOfLetter(first | 32)
  const ones = <u32>load<u8>(at, 1) - 48
  if (tens - 1 > 8 || ones > 9) return 0
  return levelOfNumber(tens * 10 + ones)
}
