// The snappy compressor (block format, https://github.com/google/snappy/blob/main/format_description.txt): greedy, vector compares and copies.

/** The hash table holds 16-bit positions inside a block of 64 KiB. */
const HASH_BITS: i32 = 14
const TABLE_BYTES: usize = 2 << HASH_BITS
const BLOCK_BYTES: usize = 65536
/** Matching stops this many bytes before a block's end, so no load of 8 bytes leaves the input. */
const TAIL_BYTES: usize = 80
/** After SKIP_FIRST / 2^SKIP_SHIFT bytes without a match the step grows: bytes that do not compress are passed quickly. */
const SKIP_FIRST: u32 = 128
const SKIP_SHIFT: u32 = 5

/** Scratch bytes that snappyCompress needs. */
export function snappyTableBytes(): usize {
  return TABLE_BYTES
}

/**
 * The most bytes that snappyCompress writes for `len` bytes of input.
 * Growth comes from literals only: a copy of at least 4 bytes takes at most 3, a literal's head 1 byte (up to 60), 2 (up to 256) or
 * 3. So a literal and its copy grow by at most 1 per 65 bytes or 2 per 261, a block's last literal by 3 per block, the length takes
 * 5: together below len/32 + 16. A short literal is stored as 64 bytes, which touches at most 63 past it: 128 covers both.
 */
export function snappyMaxLen(len: usize): usize {
  return len + (len >>> 5) + 128
}

/** Compresses `len` bytes; needs snappyMaxLen(len) bytes at `outPtr` and 64 readable bytes past the input. Returns the length. */
export function snappyCompress(inPtr: usize, len: usize, outPtr: usize, tablePtr: usize): usize {
  return snappyPart(inPtr, len, snappyBegin(len, outPtr), tablePtr) - outPtr
}

/** Writes the length of the whole input, with which a block begins; returns the address after it. */
export function snappyBegin(len: usize, outPtr: usize): usize {
  let rest = <u32>len
  while (rest >= 128) {
    store<u8>(outPtr, rest | 128)
    outPtr++
    rest >>>= 7
  }
  store<u8>(outPtr, rest)
  return outPtr + 1
}

/**
 * Compresses a part of the input behind the parts before it, without a look at those: copies never reach out of their part. Grows like
 * snappyCompress, and by at most 3 bytes more a part. Returns the address after what it wrote.
 */
export function snappyPart(inPtr: usize, len: usize, outPtr: usize, tablePtr: usize): usize {
  let out = outPtr
  for (let done: usize = 0; done < len; done += BLOCK_BYTES) {
    out = compressBlock(inPtr + done, min<usize>(len - done, BLOCK_BYTES), out, tablePtr)
  }
  return out
}

/**
 * The table's byte offset for the 8 bytes at `at`. Hashing 8 rather than the 4 that a match needs passes over short matches: on log
 * lines it compresses a third faster, and smaller.
 */
function hash(at: usize): usize {
  return (<usize>((load<u64>(at) * 0x9e3779b185ebca87) >>> (64 - HASH_BITS))) << 1
}

/** Compresses one block. All candidates lie before the current position and inside the block, so an offset fits 16 bits and is never 0. */
function compressBlock(base: usize, length: usize, out: usize, table: usize): usize {
  const end = base + length
  let literal = base
  if (length > TAIL_BYTES) {
    memory.fill(table, 0, TABLE_BYTES)
    const limit = end - TAIL_BYTES
    let at = base + 1
    while (true) {
      let skip = SKIP_FIRST
      let found: usize
      while (true) {
        if (at > limit) return writeLiteral(out, literal, end - literal)
        const bytes = load<u32>(at)
        const slot = table + hash(at)
        found = base + <usize>load<u16>(slot)
        store<u16>(slot, <u16>(at - base))
        if (bytes == load<u32>(found)) break
        at += <usize>(skip >>> SKIP_SHIFT)
        skip++
      }
      if (at > literal) out = writeLiteral(out, literal, at - literal)
      const matchEnd = extend(at + 4, found + 4, end)
      out = writeCopy(out, <u32>(at - found), <u32>(matchEnd - at))
      literal = matchEnd
      at = matchEnd
      if (at > limit) break
      store<u16>(table + hash(at - 1), <u16>(at - 1 - base))
    }
  }
  return literal < end ? writeLiteral(out, literal, end - literal) : out
}

/** The first address at or after `at` where the bytes differ from those at `from` (which lies before), at most `end`. */
function extend(at: usize, from: usize, end: usize): usize {
  while (at + 16 <= end) {
    const differing = i8x16.bitmask(i8x16.ne(v128.load(at), v128.load(from)))
    if (differing) return at + <usize>ctz(differing)
    at += 16
    from += 16
  }
  while (at < end && load<u8>(at) == load<u8>(from)) {
    at++
    from++
  }
  return at
}

/** Up to 60 bytes are stored as one to four vectors whatever the length: 64 bytes read and written. */
function writeLiteral(out: usize, from: usize, length: usize): usize {
  const less = <u32>length - 1
  if (less < 60) {
    store<u8>(out, less << 2)
    out++
    v128.store(out, v128.load(from))
    if (length > 16) {
      v128.store(out, v128.load(from, 16), 16)
      if (length > 32) {
        v128.store(out, v128.load(from, 32), 32)
        v128.store(out, v128.load(from, 48), 48)
      }
    }
    return out + length
  }
  if (less < 256) {
    store<u8>(out, 60 << 2)
    store<u8>(out, less, 1)
    out += 2
  } else {
    store<u8>(out, 61 << 2)
    store<u16>(out, <u16>less, 1)
    out += 3
  }
  memory.copy(out, from, length)
  return out + length
}

/** Copies of more than 64 bytes are written as several; a rest of 1 to 3 bytes is legal in the 3-byte form. */
function writeCopy(out: usize, offset: u32, length: u32): usize {
  while (length > 64) {
    store<u8>(out, (63 << 2) | 2)
    store<u16>(out, <u16>offset, 1)
    out += 3
    length -= 64
  }
  if (length - 4 < 8 && offset < 2048) {
    store<u8>(out, ((offset >>> 8) << 5) | ((length - 4) << 2) | 1)
    store<u8>(out, offset, 1)
    return out + 2
  }
  store<u8>(out, ((length - 1) << 2) | 2)
  store<u16>(out, <u16>offset, 1)
  return out + 3
}
