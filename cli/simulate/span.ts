// How long a time the input covers, and when its files begin; what the lines do not say is assumed, and told.
import { DAY_MS } from '../volume/volume.js'
import { createFileClock, type FileClock } from './file-clock.js'
import type { InputFile } from './input.js'
import type { LineTimes } from './line-times.js'
import { type ReadFaults, wholeLines } from './whole-lines.js'

export interface Plan {
  /** The earliest file's beginning. */
  readonly startMs: number
  startOf(file: InputFile): number
  clockOf(file: InputFile): FileClock
  /** No line says its time: what is shown of a day is the input itself, or that of --span. */
  readonly assumedMs: number | undefined
}

/** Any moment will do for lines that do not say theirs. */
const EPOCH_MS = Date.UTC(2026, 0, 1)

/** Files without times are read once more before: their lines are spread evenly. */
export async function planTimes(
  files: readonly InputFile[],
  times: LineTimes,
  spanMs: number | undefined,
): Promise<Plan> {
  const known = files.flatMap(({ firstMs }) => (firstMs === undefined ? [] : [firstMs]))
  const startMs = known.length === 0 ? EPOCH_MS : known.reduce((a, b) => Math.min(a, b))
  const startOf = ({ firstMs }: InputFile): number => firstMs ?? startMs
  if (known.length === files.length)
    return { startMs, startOf, clockOf: (file) => createFileClock(startOf(file)), assumedMs: undefined }
  const lines = new Map<InputFile, number>()
  let endMs = startMs
  for (const file of files) {
    const clock = createFileClock(startOf(file))
    lines.set(file, await readThrough(file, times, (ms) => void (endMs = Math.max(endMs, clock.at(ms)))))
  }
  const assumedMs = known.length === 0 ? (spanMs ?? DAY_MS) : undefined
  const coveredMs = assumedMs ?? endMs - startMs
  return {
    startMs,
    startOf,
    clockOf: (file) =>
      file.firstMs === undefined
        ? evenClock(startMs, coveredMs, lines.get(file) ?? 1)
        : createFileClock(file.firstMs),
    assumedMs,
  }
}

async function readThrough(
  file: InputFile,
  times: LineTimes,
  each: (ms: number | undefined) => void,
): Promise<number> {
  const quiet: ReadFaults = { broken: () => undefined }
  let lines = 0
  const note = (_from: number, _to: number, ms: number | undefined): void => {
    lines++
    each(ms)
  }
  for await (const chunk of wholeLines(file.path, quiet)) {
    if (file.runtime) times.runtime(chunk, note)
    else times.records(chunk, note)
  }
  return lines
}

function evenClock(startMs: number, coveredMs: number, lines: number): FileClock {
  const counts = { untimed: 0, late: 0, wild: 0 }
  return { counts, at: () => startMs + (coveredMs * counts.untimed++) / lines }
}
