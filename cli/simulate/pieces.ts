// A log file as pieces of lines, each with the second at which they came.
import type { FileClock } from './file-clock.js'
import type { InputFile } from './input.js'
import type { LineTimes } from './line-times.js'
import { type ReadFaults, wholeLines } from './whole-lines.js'

export interface Piece {
  readonly file: InputFile
  /** Start of the second, ms since the epoch. */
  readonly secondMs: number
  readonly lines: Buffer
}

export interface PieceCounts {
  lines: number
  bytes: number
  /** Archived records that stand for more than they are multiplied to. */
  overweight: number
}

const SECOND_MS = 1000

export async function* piecesOf(
  file: InputFile,
  clock: FileClock,
  times: LineTimes,
  counts: PieceCounts,
  faults: ReadFaults,
): AsyncGenerator<Piece> {
  for await (const chunk of wholeLines(file.path, faults)) {
    const pieces: Piece[] = []
    let secondMs: number | undefined
    let begin = 0
    let end = 0
    const close = (): void => {
      if (secondMs !== undefined && end > begin)
        pieces.push({ file, secondMs, lines: chunk.subarray(begin, end) })
      begin = end
    }
    const each = (_from: number, to: number, ms: number | undefined): void => {
      const next = Math.floor(clock.at(ms) / SECOND_MS) * SECOND_MS
      if (next !== secondMs) close()
      secondMs = next
      end = to
      counts.lines++
    }
    if (file.runtime) times.runtime(chunk, each)
    else times.records(chunk, each)
    close()
    counts.bytes += chunk.length
    yield* pieces
  }
}
