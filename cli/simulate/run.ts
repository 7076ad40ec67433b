// A simulation from its options to its figures: input, times, chains, volumes and costs of a day.
import type { Config } from '../../protocol/config/schema.js'
import { type Costs, costsOf } from '../volume/cost.js'
import { type Amount, DAY_MS, NOTHING, scaleRow, totalOf, type VolumeRow } from '../volume/volume.js'
import type { FileClock } from './file-clock.js'
import { createIdentify } from './identity.js'
import { archivedPieces } from './archived.js'
import { findInput, type Input, type InputFile } from './input.js'
import { createLineTimes } from './line-times.js'
import { merge, type Merged, OPEN_FILES_MAX } from './merge.js'
import { notesOf } from './notes.js'
import { type PieceCounts, piecesOf } from './pieces.js'
import { simulate, type Simulation } from './simulation.js'
import { planTimes, type Plan } from './span.js'

export interface Side {
  readonly name: 'current' | 'new'
  readonly file: string
  readonly config: Config
}

export interface SimulationOptions {
  /** The new one is the last. */
  readonly sides: readonly Side[]
  readonly from: readonly string[]
  readonly source?: string
  /** How long the input took, ms. */
  readonly span?: number
}

export interface SimulationResult {
  readonly sides: readonly Side[]
  readonly input: {
    readonly files: number
    readonly lines: number
    readonly bytes: number
    /** ms since the epoch; undefined where no line says its time. */
    readonly fromMs: number | undefined
    readonly toMs: number | undefined
    readonly spanMs: number
  }
  /** As it was read. */
  readonly rows: readonly VolumeRow[]
  /** The same for a day. */
  readonly perDay: readonly VolumeRow[]
  /** For each side. */
  readonly costs: readonly Costs[]
  readonly notes: readonly string[]
  /** A file could not be read to its end. */
  readonly broken: boolean
}

const SECOND_MS = 1000
/** For sorting what an archive holds, all files that are read at once together. */
const SORT_BYTES = 256 * 1024 * 1024

/** Throws `usage.from`, `usage.source`. */
export async function runSimulation(options: SimulationOptions): Promise<SimulationResult> {
  const { sides } = options
  const times = createLineTimes()
  const newest = sides.toReversed().map(({ config }) => config)
  const input = await findInput(options.from, newest, times)
  try {
    const identifies = await Promise.all(sides.map(({ config }) => createIdentify(config, options.source)))
    const plan = await planTimes(input.files, times, options.span)
    const reading = createReading(input, plan, times)
    const configs = sides.map(({ config }, n) => ({
      config,
      identify: identifies[n] as (typeof identifies)[number],
    }))
    const simulation = await simulate(
      configs,
      Math.floor(plan.startMs / SECOND_MS) * SECOND_MS,
      reading.pieces(),
    )
    const read = reading.result()
    const identities = identifies.flatMap((identify) =>
      input.files.map((file) => [file, identify(file)] as const),
    )
    const spanMs = options.span ?? plan.assumedMs ?? read.toMs - read.fromMs
    const notes = notesOf({
      input,
      identities,
      ...read,
      assumedMs: plan.assumedMs,
      momentary: plan.assumedMs === undefined && read.toMs - read.fromMs <= SECOND_MS,
      malformed: Math.max(...simulation.malformed),
      coveredMs: read.toMs - read.fromMs,
      spanGiven: options.span !== undefined,
    })
    const rows = rowsOf(simulation)
    const perDay = rows.map((row) => scaleRow(row, DAY_MS / spanMs))
    const { kept } = totalOf(perDay, sides.length)
    const timed = plan.assumedMs === undefined
    return {
      sides,
      input: {
        files: input.files.length,
        lines: read.lines,
        bytes: read.bytes,
        fromMs: timed ? read.fromMs : undefined,
        toMs: timed ? read.toMs : undefined,
        spanMs,
      },
      rows,
      perDay,
      costs: sides.map(({ config }, n) =>
        costsOf(Object.keys(config.backends), config.report, () => (kept[n] ?? NOTHING).bytes),
      ),
      broken: read.broken.length + input.broken.length > 0,
      notes,
    }
  } finally {
    input.end()
  }
}

/** Archive files of the same hour are read side by side. */
function archivesAtOnce(files: readonly InputFile[]): number {
  const ofHour = new Map<number, number>()
  for (const { archived, firstMs = 0 } of files)
    if (archived) ofHour.set(firstMs, (ofHour.get(firstMs) ?? 0) + 1)
  return Math.min(OPEN_FILES_MAX, Math.max(1, ...ofHour.values()))
}

interface ReadFigures extends PieceCounts {
  readonly clocks: FileClock['counts']
  readonly broken: readonly string[]
  readonly fromMs: number
  readonly toMs: number
}

function createReading(input: Input, plan: Plan, times: ReturnType<typeof createLineTimes>) {
  const counts: PieceCounts = { lines: 0, bytes: 0, overweight: 0 }
  const broken: string[] = []
  const clocks: FileClock[] = []
  const windowBytes = SORT_BYTES / archivesAtOnce(input.files)
  let fromMs = Number.POSITIVE_INFINITY
  let toMs = Number.NEGATIVE_INFINITY
  const faults = { broken: (path: string, problem: string) => void broken.push(`${path} ${problem}`) }
  return {
    async *pieces(): AsyncGenerator<Merged> {
      const merged = merge(input.files, plan.startOf, (file) => {
        const clock = plan.clockOf(file)
        clocks.push(clock)
        if (!file.archived) return piecesOf(file, clock, times, counts, faults)
        return archivedPieces(file, { times, counts, clock, faults, windowBytes })
      })
      for await (const piece of merged) {
        if ('secondMs' in piece) {
          fromMs = Math.min(fromMs, piece.secondMs)
          toMs = Math.max(toMs, piece.secondMs + SECOND_MS)
        }
        yield piece
      }
    },
    result(): ReadFigures {
      const sum = (key: keyof FileClock['counts']) =>
        clocks.reduce((total, each) => total + each.counts[key], 0)
      const all = { untimed: sum('untimed'), late: sum('late'), wild: sum('wild') }
      return { ...counts, clocks: all, broken, fromMs, toMs }
    },
  }
}

/** What came in is the same for both sides, but for namespaces that one of them does not read. */
function rowsOf({ counted }: Simulation): VolumeRow[] {
  const keys = new Set(counted.flatMap((side) => [...side.keys()]))
  return Array.from(keys, (key): VolumeRow => {
    const sides = counted.map((side) => side.get(key))
    const some = sides.find((side) => side !== undefined)
    const { namespace = '', service = '', level = '' } = some ?? {}
    const most = sides.reduce<Amount>(
      (all, side) => (side !== undefined && side.in.records > all.records ? side.in : all),
      NOTHING,
    )
    return { namespace, service, level, in: most, kept: sides.map((side) => side?.kept ?? NOTHING) }
  })
}
