// The Elasticsearch bulk body: an action line with the record's id, then the record with the batch id spliced in before its last brace.
import { COPY_SLACK, copyWide, decimalLength, writeDecimal } from './copy'

const ENTRY_BYTES: usize = 32
/** `"}}` and a newline, little endian. */
const ACTION_END: u32 = 0x0a7d7d22
/** Bytes of an item beside action, record and tail: ten digits, the action's end, the newline. */
const ITEM_REST: usize = 16

let bulkEnd: usize = 0

/** Address after the last byte that bulkAppend wrote. */
export function bulkOut(): usize {
  return bulkEnd
}

/**
 * Appends records [from, to) at `outPtr`: `<action><n>"}}` newline, the record without its last byte, `<tail>`, newline. Stops before
 * the first record that might pass `outLimit` (up to 26 bytes may stay unused by this) and returns its number. Reads up to 15 bytes
 * past record, action and tail.
 */
export function bulkAppend(
  rawPtr: usize,
  indexPtr: usize,
  from: u32,
  to: u32,
  actionPtr: usize,
  actionLen: usize,
  tailPtr: usize,
  tailLen: usize,
  outPtr: usize,
  outLimit: usize,
): u32 {
  const fixed = <u64>(actionLen + tailLen + ITEM_REST + COPY_SLACK)
  let out = outPtr
  let n = from
  for (; n < to; n++) {
    const entry = indexPtr + <usize>n * ENTRY_BYTES
    const length = <usize>load<u32>(entry, 12)
    if (<u64>out + fixed + <u64>length > <u64>outLimit) break
    copyWide(out, actionPtr, actionLen)
    out = writeDecimal(out + actionLen, n, decimalLength(n))
    store<u32>(out, ACTION_END)
    out += 4
    copyWide(out, rawPtr + <usize>load<u32>(entry, 8), length - 1)
    out += length - 1
    copyWide(out, tailPtr, tailLen)
    out += tailLen
    store<u8>(out, 0x0a)
    out++
  }
  bulkEnd = out
  return n
}
