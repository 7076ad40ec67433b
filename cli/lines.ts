// Splits a byte stream into its lines; a broken connection is an error and not an end.
import type { Readable } from 'node:stream'

const LINE_CHARS_MAX = 32 * 1024 * 1024

/** Whole lines without their line break; what follows the last line break is left out. Throws what the stream throws. */
export async function* linesOf(stream: Readable): AsyncGenerator<string> {
  let rest = ''
  stream.setEncoding('utf8')
  for await (const piece of stream) {
    const lines = (rest + (piece as string)).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > LINE_CHARS_MAX) throw new RangeError(`a line exceeds ${LINE_CHARS_MAX} characters`)
    yield* lines
  }
}
