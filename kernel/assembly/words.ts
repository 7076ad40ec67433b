// Level words and numbers: which of TRACE 1 … FATAL 6 a text means.
import { hashWords, headWord, tailWord } from './hash'

const LOWER: u64 = 0x2020202020202020
/** Chosen so that the words differ in the top seven bits of their hashes. */
const K: u64 = 0xe06c2467f9d07d97
const ENTRY_SHIFT: usize = 5
/** 128 entries of u64 head, u64 tail, u32 length, u32 level. A table, since comparisons one by one would be mispredicted. */
const TABLE: usize = memory.data(4096, 64)
const TEXT: usize = memory.data(32, 16)

/** Longest level word: informational. */
export const WORD_MAX: usize = 13

function entryOf(head: u64, tail: u64, length: usize): usize {
  return TABLE + ((<usize>((hashWords(head, tail, length) * K) >> 57)) << ENTRY_SHIFT)
}

function word(text: string, level: u32): void {
  const length = <usize>text.length
  for (let i: usize = 0; i < length; i++) store<u8>(TEXT + i, <u8>text.charCodeAt(<i32>i))
  const head = headWord(TEXT, length)
  const tail = tailWord(TEXT, length)
  const entry = entryOf(head, tail, length)
  store<u64>(entry, head)
  store<u64>(entry, tail, 8)
  store<u32>(entry, <u32>length, 16)
  store<u32>(entry, level, 20)
}

word('trace', 1)
word('trc', 1)
word('verbose', 1)
word('debug', 2)
word('dbg', 2)
word('info', 3)
word('information', 3)
word('informational', 3)
word('notice', 3)
word('log', 3)
word('warn', 4)
word('warning', 4)
word('wrn', 4)
word('error', 5)
word('err', 5)
word('eror', 5)
word('fatal', 6)
word('critical', 6)
word('crit', 6)
word('alert', 6)
word('emerg', 6)
word('emergency', 6)
word('panic', 6)
word('dpanic', 6)
word('severe', 6)

/** Level of a word of three to 13 letters in any case, 0 when it is none. Reads 16 bytes at `at`. */
export function levelOfWord(at: usize, length: usize): u32 {
  if (length < 3 || length > WORD_MAX) return 0
  const bits = length < 8 ? LOWER >> ((8 - <u64>length) << 3) : LOWER
  const head = headWord(at, length) | bits
  const tail = length < 8 ? 0 : tailWord(at, length) | LOWER
  const entry = entryOf(head, tail, length)
  const different =
    (load<u64>(entry) ^ head) | (load<u64>(entry, 8) ^ tail) | <u64>(load<u32>(entry, 16) ^ <u32>length)
  return different == 0 ? load<u32>(entry, 20) : 0
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
