// The check of a raw frame body: every index entry must point at a whole record, so that no splice ever reads outside.

const ENTRY_BYTES: usize = 32
const OPEN: u8 = 0x7b
const CLOSE: u8 = 0x7d
const NEWLINE: u8 = 0x0a

/**
 * 1 when the records follow each other from 0 to `ndjsonBytes` without a gap, each `{…}` and a newline, with its stream below
 * `streams`, its weight at least 1 and its trace id inside itself; else 0.
 */
export function frameCheck(
  rawPtr: usize,
  ndjsonBytes: usize,
  indexPtr: usize,
  count: u32,
  streams: u32,
): u32 {
  let expected: u64 = 0
  const bytes = <u64>ndjsonBytes
  let entry = indexPtr
  for (let n: u32 = 0; n < count; n++, entry += ENTRY_BYTES) {
    const length = <u64>load<u32>(entry, 12)
    if (<u64>load<u32>(entry, 8) != expected || length < 3 || expected + length >= bytes) return 0
    const record = rawPtr + <usize>expected
    if (load<u8>(record) != OPEN || load<u8>(record + <usize>length - 1) != CLOSE) return 0
    if (load<u8>(record + <usize>length) != NEWLINE) return 0
    if (load<u32>(entry, 16) >= streams) return 0
    if (!(load<f32>(entry, 20) >= 1)) return 0
    const trace = <u64>load<u32>(entry, 24)
    if (trace != 0 ? trace + <u64>load<u32>(entry, 28) >= length : load<u32>(entry, 28) != 0) return 0
    expected += length + 1
  }
  return expected == bytes ? 1 : 0
}
