// Where a line that is too long is cut, so that its canonical record stays under the limits of every backend.

/** Below this length no line can grow over the limit, so nobody needs to look at it. */
export const CUT_LOOK_BYTES = 16 * 1024
/** Room for the canonical fields beside the message. */
export const CANONICAL_FIELDS_BYTES = 8 * 1024

/**
 * Number of bytes of `line` whose text form (quotes, backslashes and control bytes escaped, a byte that is no UTF-8 replaced by three)
 * fits into `budgetBytes`; never splits a UTF-8 sequence. Equal to line.length when nothing needs to be cut.
 */
export function fittingBytes(line: Uint8Array, budgetBytes: number): number {
  let grown = 0
  for (let at = 0; at < line.length; at++) {
    const byte = line[at] as number
    grown +=
      byte < 0x20 ? 6 : byte === 0x22 || byte === 0x5c ? 2 : byte >= 0x80 && !insideSequence(line, at) ? 3 : 1
    if (grown > budgetBytes) return sequenceStart(line, at)
  }
  return line.length
}

/** A byte ≥ 0x80 that stands where a well-formed sequence would have it counts as itself. */
function insideSequence(line: Uint8Array, at: number): boolean {
  const start = sequenceStart(line, at)
  const lead = line[start] as number
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0
  return at - start < length && start + length <= line.length
}

function sequenceStart(line: Uint8Array, at: number): number {
  let start = at
  while (start > 0 && at - start < 3 && ((line[start] as number) & 0xc0) === 0x80) start--
  return start
}
