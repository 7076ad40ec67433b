// Reads the lines of a file from its end to its beginning, in chunks, and never more than a bound.
import { open } from 'node:fs/promises'

const CHUNK_BYTES = 256 * 1024
const NEWLINE = 10

/** Whole lines without their newline, last one first. `budget.bytes` is what may still be read, and is used up. */
export async function* linesBackwards(file: string, budget: { bytes: number }): AsyncGenerator<Buffer> {
  const handle = await open(file, 'r')
  try {
    let at = (await handle.stat()).size
    /** The beginning of a line whose first bytes are in the chunk before. */
    let rest: Buffer = Buffer.alloc(0)
    while (at > 0 && budget.bytes > 0) {
      const length = Math.min(CHUNK_BYTES, at, budget.bytes)
      const chunk = Buffer.alloc(length)
      const { bytesRead } = await handle.read(chunk, 0, length, at - length)
      // The file became shorter meanwhile: what it held is gone.
      if (bytesRead < length) return
      at -= length
      budget.bytes -= length
      const joined = rest.length === 0 ? chunk : Buffer.concat([chunk, rest])
      let end = joined.length
      for (let from = joined.lastIndexOf(NEWLINE); from >= 0; ) {
        if (end > from + 1) yield joined.subarray(from + 1, end)
        end = from
        from = from === 0 ? -1 : joined.lastIndexOf(NEWLINE, from - 1)
      }
      rest = joined.subarray(0, end)
    }
    if (at === 0 && rest.length > 0) yield rest
  } finally {
    await handle.close()
  }
}
