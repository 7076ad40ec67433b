// Whether a record names a trace, and the 56 random bits of its id, by which all records of a trace share their fate on every node.

/** W3C trace context, section 3.2.2.3: 32 hexadecimal digits. */
const ID_DIGITS: usize = 32
/** OpenTelemetry's consistent probability sampling: the last 14 digits are random. */
const RANDOM_MASK: u64 = 0xffffffffffffff

/**
 * False for what loggers write where there is no trace: only zeros and dashes, such as the all-zero id, which W3C trace context calls invalid.
 * As an id it would tie the fate of all such records together, and drop every one of them at any rate below 1.
 */
export function namesTrace(start: usize, end: usize): bool {
  for (let at = start; at < end; at++) {
    const byte = load<u8>(at)
    if (byte != 48 && byte != 45) return true
  }
  return false
}

/** 255 in each lane of a hexadecimal digit that is a letter. */
function letters(text: v128): v128 {
  const lower = v128.or(text, i8x16.splat(32))
  return i8x16.le_u(i8x16.sub(lower, i8x16.splat(97)), i8x16.splat(5))
}

function isHexadecimal(text: v128): bool {
  const digits = i8x16.le_u(i8x16.sub(text, i8x16.splat(48)), i8x16.splat(9))
  return i8x16.all_true(v128.or(digits, letters(text)))
}

/** The number that sixteen hexadecimal digits say. */
function numberOf(text: v128): u64 {
  const nine = v128.and(letters(text), i8x16.splat(9))
  const nibbles = i8x16.add(v128.and(text, i8x16.splat(15)), nine)
  const pairs = v128.or(i16x8.shl(nibbles, 4), i16x8.shr_u(nibbles, 8))
  const bytes = v128.and(pairs, i16x8.splat(255))
  return bswap<u64>(i64x2.extract_lane(i8x16.narrow_i16x8_u(bytes, bytes), 0))
}

/** The last 14 digits of 32 hexadecimal ones, else a hash with a fixed seed. */
export function traceRandom(start: usize, end: usize): u64 {
  if (end - start == ID_DIGITS) {
    const low = v128.load(start, 16)
    if (isHexadecimal(v128.load(start)) && isHexadecimal(low)) return numberOf(low) & RANDOM_MASK
  }
  // FNV-1a with MurmurHash3's finalizer.
  let hash: u64 = 0xcbf29ce484222325
  for (let at = start; at < end; at++) hash = (hash ^ <u64>load<u8>(at)) * 0x100000001b3
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53
  return (hash ^ (hash >> 33)) & RANDOM_MASK
}
