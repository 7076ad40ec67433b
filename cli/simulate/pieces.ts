// A file as pieces of lines, each with the second at which they came; an archived record becomes as many as it stands for.
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
/** A record of a lower sample_rate than one in so many counts for so many. */
const COPIES_MAX = 100_000
const PIECE_BYTES_MAX = 1024 * 1024
const RATE = Buffer.from('"sample_rate":')
const IDS = Buffer.from(',"batch_id":"')
const CLOSING = Buffer.from('}\n')

export async function* piecesOf(
  file: InputFile,
  clock: FileClock,
  times: LineTimes,
  counts: PieceCounts,
  faults: ReadFaults,
): AsyncGenerator<Piece> {
  const expand = createExpansion(counts)
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
    if (!file.archived) yield* pieces
    else for (const piece of pieces) for (const lines of expand(piece.lines)) yield { ...piece, lines }
  }
}

/** Repeats each line by its weight, without the ids that the archive has added; what is left of a weight goes on to the next line. */
function createExpansion(counts: PieceCounts): (lines: Buffer) => Generator<Buffer> {
  let owed = 0
  return function* (lines) {
    let parts: Buffer[] = []
    let bytes = 0
    for (let from = 0; from < lines.length; ) {
      const newline = lines.indexOf(10, from)
      const to = newline < 0 ? lines.length : newline + 1
      const line = lines.subarray(from, to)
      owed += weightOf(line)
      const copies = Math.min(COPIES_MAX, Math.floor(owed + 1e-9))
      if (owed - copies >= 1) counts.overweight++
      owed = Math.max(0, (owed - copies) % 1)
      const ids = line.lastIndexOf(IDS)
      const record = ids < 0 ? line : Buffer.concat([line.subarray(0, ids), CLOSING])
      for (let n = 0; n < copies; n++) {
        parts.push(record)
        bytes += record.length
        if (bytes < PIECE_BYTES_MAX) continue
        yield Buffer.concat(parts)
        parts = []
        bytes = 0
      }
      from = to
    }
    if (bytes > 0) yield Buffer.concat(parts)
  }
}

function weightOf(line: Buffer): number {
  if (!line.includes(RATE)) return 1
  try {
    const { sample_rate: rate } = JSON.parse(line.toString()) as { sample_rate?: unknown }
    return typeof rate === 'number' && rate > 0 && rate <= 1 ? 1 / rate : 1
  } catch {
    return 1
  }
}
