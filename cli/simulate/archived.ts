// An archive file as pieces of lines: in the order of their times, each record as often as it stands for.
import type { FileClock } from './file-clock.js'
import type { InputFile } from './input.js'
import type { LineTimes } from './line-times.js'
import type { Piece, PieceCounts } from './pieces.js'
import { createWindow } from './sort-window.js'
import { type ReadFaults, wholeLines } from './whole-lines.js'

/** A record of a lower sample_rate than one in so many counts for so many. */
const COPIES_MAX = 100_000
const PIECE_BYTES_MAX = 1024 * 1024
const SECOND_MS = 1000
const NEWLINE = 10
const RATE = Buffer.from('"sample_rate":')
const IDS = Buffer.from(',"batch_id":"')
const CLOSING = Buffer.from('}\n')

export interface ArchivedOptions {
  readonly times: LineTimes
  readonly counts: PieceCounts
  readonly clock: FileClock
  readonly faults: ReadFaults
  /** Lines lie in an archive as the node wrote them, backfill between live ones: so many bytes are held and sorted. */
  readonly windowBytes: number
}

export async function* archivedPieces(file: InputFile, options: ArchivedOptions): AsyncGenerator<Piece> {
  const { times, counts, clock, faults, windowBytes } = options
  const window = createWindow(windowBytes)
  const expand = createExpansion(counts)
  let lastMs = clock.at(undefined)
  clock.counts.untimed = 0
  function* hand(
    seconds: Iterable<{ readonly secondMs: number; readonly lines: readonly Buffer[] }>,
  ): Generator<Piece> {
    for (const { secondMs, lines } of seconds) {
      // The clock never goes back: what is older than a window comes late.
      const late = clock.counts.late
      const nowMs = clock.at(secondMs)
      if (clock.counts.late > late) clock.counts.late += lines.length - 1
      for (const some of expand(lines))
        yield { file, secondMs: Math.floor(nowMs / SECOND_MS) * SECOND_MS, lines: some }
    }
  }
  for await (const chunk of wholeLines(file.path, faults)) {
    times.records(chunk, (from, to, ms) => {
      if (ms === undefined) clock.counts.untimed++
      lastMs = ms ?? lastMs
      counts.lines++
      window.add(Math.floor(lastMs / SECOND_MS) * SECOND_MS, chunk.subarray(from, to))
    })
    counts.bytes += chunk.length
    yield* hand(window.overflow())
  }
  yield* hand(window.rest())
}

/** Repeats each line by its weight, without the ids that the archive has added; what is left of a weight goes on to the next line. */
function createExpansion(counts: PieceCounts): (lines: readonly Buffer[]) => Generator<Buffer> {
  let owed = 0
  return function* (lines) {
    let parts: Buffer[] = []
    let bytes = 0
    for (const line of lines) {
      owed += weightOf(line)
      const copies = Math.min(COPIES_MAX, Math.floor(owed + 1e-9))
      if (owed - copies >= 1) counts.overweight++
      owed = Math.max(0, (owed - copies) % 1)
      const record = withoutIds(line)
      for (let n = 0; n < copies; n++) {
        parts.push(record)
        bytes += record.length
        if (bytes < PIECE_BYTES_MAX) continue
        yield Buffer.concat(parts)
        parts = []
        bytes = 0
      }
    }
    if (bytes > 0) yield Buffer.concat(parts)
  }
}

function withoutIds(line: Buffer): Buffer {
  const ids = line.lastIndexOf(IDS)
  if (ids >= 0) return Buffer.concat([line.subarray(0, ids), CLOSING])
  return line.at(-1) === NEWLINE ? line : Buffer.concat([line, Buffer.of(NEWLINE)])
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
