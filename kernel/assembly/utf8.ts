// UTF-8 validation with vectors, after Keiser and Lemire, "Validating UTF-8 In Less Than One Instruction Per Byte" (2020).

const TOO_SHORT: u8 = 1
const TOO_LONG: u8 = 2
const OVERLONG_3: u8 = 4
const TOO_LARGE: u8 = 8
const SURROGATE: u8 = 16
const OVERLONG_2: u8 = 32
/** Also an overlong form of four bytes. */
const TOO_LARGE_1000: u8 = 64
const TWO_CONTS: u8 = 128
const CARRY: u8 = 131

const LARGE: u8 = CARRY | TOO_LARGE | TOO_LARGE_1000
const LEAD_C: u8 = TOO_SHORT | OVERLONG_2
const LEAD_E: u8 = TOO_SHORT | OVERLONG_3 | SURROGATE
const LEAD_F: u8 = TOO_SHORT | TOO_LARGE | TOO_LARGE_1000
const LOW_0: u8 = CARRY | OVERLONG_3 | OVERLONG_2 | TOO_LARGE_1000
const LOW_1: u8 = CARRY | OVERLONG_2
const LOW_4: u8 = CARRY | TOO_LARGE
const LOW_D: u8 = CARRY | TOO_LARGE | TOO_LARGE_1000 | SURROGATE
const CONT_8: u8 = TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE_1000
const CONT_9: u8 = TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE
const CONT_A: u8 = TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE

/** What the first byte's high half allows, by its value. */
// prettier-ignore
const FIRST_HIGH: usize = memory.data<u8>(
  [
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TWO_CONTS,
    TWO_CONTS,
    TWO_CONTS,
    TWO_CONTS,
    LEAD_C,
    TOO_SHORT,
    LEAD_E,
    LEAD_F,
  ],
  16,
)
const FIRST_LOW: usize = memory.data<u8>(
  [
    LOW_0,
    LOW_1,
    CARRY,
    CARRY,
    LOW_4,
    LARGE,
    LARGE,
    LARGE,
    LARGE,
    LARGE,
    LARGE,
    LARGE,
    LARGE,
    LOW_D,
    LARGE,
    LARGE,
  ],
  16,
)
// prettier-ignore
const SECOND_HIGH: usize = memory.data<u8>(
  [
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    CONT_8,
    CONT_9,
    CONT_A,
    CONT_A,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
  ],
  16,
)

/** Errors (non-zero lanes) of one block, given the block before. */
function blockErrors(previous: v128, block: v128): v128 {
  const low = i8x16.splat(15)
  const before1 = i8x16.shuffle(
    previous,
    block,
    15,
    16,
    17,
    18,
    19,
    20,
    21,
    22,
    23,
    24,
    25,
    26,
    27,
    28,
    29,
    30,
  )
  const before2 = i8x16.shuffle(
    previous,
    block,
    14,
    15,
    16,
    17,
    18,
    19,
    20,
    21,
    22,
    23,
    24,
    25,
    26,
    27,
    28,
    29,
  )
  const before3 = i8x16.shuffle(
    previous,
    block,
    13,
    14,
    15,
    16,
    17,
    18,
    19,
    20,
    21,
    22,
    23,
    24,
    25,
    26,
    27,
    28,
  )
  const firstHigh = i8x16.swizzle(v128.load(FIRST_HIGH), i8x16.shr_u(before1, 4))
  const firstLow = i8x16.swizzle(v128.load(FIRST_LOW), v128.and(before1, low))
  const secondHigh = i8x16.swizzle(v128.load(SECOND_HIGH), i8x16.shr_u(block, 4))
  const special = v128.and(v128.and(firstHigh, firstLow), secondHigh)
  const third = i8x16.sub_sat_u(before2, i8x16.splat(0x60))
  const fourth = i8x16.sub_sat_u(before3, i8x16.splat(0x70))
  const mustContinue = v128.and(v128.or(third, fourth), i8x16.splat(<i8>0x80))
  return v128.xor(mustContinue, special)
}

/** Non-zero lanes when a sequence that a block began is not complete at its end. */
function cutOff(block: v128): v128 {
  const full = i8x16(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, <i8>0xef, <i8>0xdf, <i8>0xbf)
  return i8x16.sub_sat_u(block, full)
}

/** True when [start, end) is well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. Reads 16 bytes past the end. */
export function isUtf8(start: usize, end: usize): bool {
  let previous = i8x16.splat(0)
  let errors = i8x16.splat(0)
  let at = start
  // Blocks of ASCII, most of any log, need only a look at the end of the block before.
  while (at + 16 <= end) {
    const block = v128.load(at)
    if (i8x16.bitmask(block) == 0) errors = v128.or(errors, cutOff(previous))
    else errors = v128.or(errors, blockErrors(previous, block))
    previous = block
    at += 16
  }
  // The last block is filled up with zeros, so that a sequence cut off at the end shows as too short.
  const inside = i8x16.lt_u(
    i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    i8x16.splat(<i8>(end - at)),
  )
  const rest = v128.and(v128.load(at), inside)
  errors = v128.or(errors, blockErrors(previous, rest))
  return !v128.any_true(errors)
}
