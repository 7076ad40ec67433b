// What is to be simulated: the files that --from names, how their lines look, and when they begin.
import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { glob, isDynamicPattern } from 'tinyglobby'
import type { Config } from '../../protocol/config/schema.js'
import { MillraceError } from '../../protocol/errors.js'
import { isRuntimeLine } from '../offline/runtime-line.js'
import type { LineTimes } from './line-times.js'
import { type ReadFaults, unreadable, wholeLines } from './whole-lines.js'

export interface InputFile {
  readonly path: string
  /** The archive backend's: kept records, each standing for 1 / sample_rate. */
  readonly archived: boolean
  /** Whether the container runtime's time and stream stand before each line. */
  readonly runtime: boolean
  /** When it begins, ms since the epoch; undefined where its lines say no time. */
  readonly firstMs: number | undefined
}

export interface Input {
  readonly files: readonly InputFile[]
  /** Empty ones, that were left out. */
  readonly empty: readonly string[]
  /** Files of which no line can be read, and why. */
  readonly broken: readonly string[]
  /** Deletes what was put aside of standard input and of pipes. */
  end(): void
}

const STDIN = '-'
const ARCHIVE = 'archive'
/** `<YYYY>/<MM>/<DD>/<HH>.<node>.<n>.ndjson.gz`: all of its records are of that hour. */
const ARCHIVE_FILE = /(?:^|\/)(\d{4})\/(\d\d)\/(\d\d)\/(\d\d)\.[^/]+\.\d+\.ndjson(?:\.gz)?$/
const SNIFFED_LINES = 200
/** Times of a file's head this far from each other do not confirm each other. */
const HEAD_SPREAD_MS = 3_600_000

/** `configs`: whose archive backends `archive` means, the first that has some. Throws `usage.from`. */
export async function findInput(
  from: readonly string[],
  configs: readonly Config[],
  times: LineTimes,
): Promise<Input> {
  let aside: string | undefined
  const end = (): void => {
    if (aside !== undefined) rmSync(aside, { recursive: true, force: true })
  }
  try {
    const paths = new Set<string>()
    for (const each of from) {
      if (each === STDIN || isPipe(each)) {
        aside ??= mkdtempSync(path.join(tmpdir(), 'millrace-'))
        const copy = path.join(aside, each === STDIN ? 'stdin' : encodeURIComponent(each))
        if (paths.has(copy)) continue
        paths.add(copy)
        await pipeline(each === STDIN ? process.stdin : createReadStream(each), createWriteStream(copy))
      } else for (const found of await pathsOf(each, configs)) paths.add(found)
    }
    const all = await Promise.all(
      [...paths].sort().map(async (file) => {
        let problem: string | undefined
        const found = await sniff(file, times, { broken: (_, text) => void (problem = text) })
        return { file, found, problem }
      }),
    )
    const files = all.flatMap(({ found }) => (found === undefined ? [] : [found]))
    const unread = all.filter(({ found }) => found === undefined)
    const broken = unread.flatMap(({ file, problem }) => (problem === undefined ? [] : `${file} ${problem}`))
    if (files.length === 0) {
      const why = broken.length === 0 ? 'holds no lines' : `no line can be read: ${broken.join(', ')}`
      throw new MillraceError('usage.from', `--from ${from.join(' ')}: ${why}; there is nothing to simulate`)
    }
    const empty = unread.filter(({ problem }) => problem === undefined).map(({ file }) => file)
    return { files, empty, broken, end }
  } catch (error) {
    end()
    throw error
  }
}

/** Such as `<(zcat a.gz)`: it can be read once only. */
function isPipe(from: string): boolean {
  try {
    return statSync(from).isFIFO()
  } catch {
    return false // What reads it says why.
  }
}

async function pathsOf(from: string, configs: readonly Config[]): Promise<string[]> {
  if (from === ARCHIVE) return archiveFiles(configs)
  if (isDynamicPattern(from)) {
    const found = await glob([from], { absolute: true, onlyFiles: true, dot: true, expandDirectories: false })
    if (found.length === 0) throw new MillraceError('usage.from', `--from: no file matches ${from}`)
    return found
  }
  try {
    if (!statSync(from).isDirectory()) return [path.resolve(from)]
  } catch (error) {
    throw unreadable(from, error)
  }
  const found = await glob(['**/*'], { cwd: from, absolute: true, onlyFiles: true })
  if (found.length === 0) throw new MillraceError('usage.from', `--from: there is no file in ${from}`)
  return found
}

async function archiveFiles(configs: readonly Config[]): Promise<string[]> {
  const roots = configs.map(({ backends }) =>
    Object.values(backends).flatMap((backend) => (backend.type === 'archive' ? [backend.path] : [])),
  )
  const found = roots.find((each) => each.length > 0)
  if (found === undefined)
    throw new MillraceError(
      'usage.from',
      '--from archive: the configuration has no archive backend; name files, or write ./archive for a file of that name',
    )
  // Each archive backend holds all records: one of them is enough.
  const root = found[0] as string
  const files = await glob(['**/*.ndjson.gz', '**/*.ndjson'], { cwd: root, absolute: true, onlyFiles: true })
  if (files.length === 0) throw new MillraceError('usage.from', `--from archive: there is no file in ${root}`)
  return files
}

/** Looks at a file's first lines; undefined when it holds none. */
async function sniff(file: string, times: LineTimes, faults: ReadFaults): Promise<InputFile | undefined> {
  for await (const lines of wholeLines(file, faults)) {
    const head = lines
      .toString('latin1')
      .split('\n', SNIFFED_LINES)
      .filter((line) => line !== '')
    if (head.length === 0) continue
    const runtime = head.filter(isRuntimeLine).length * 2 > head.length
    const known: number[] = []
    const note = (_from: number, _to: number, ms: number | undefined): void => {
      if (ms !== undefined && known.length < SNIFFED_LINES) known.push(ms)
    }
    if (runtime) times.runtime(lines, note)
    else times.records(lines, note)
    const hourMs = archivedHour(file)
    if (hourMs !== undefined) return { path: file, archived: true, runtime: false, firstMs: hourMs }
    return { path: file, archived: false, runtime, firstMs: beginning(known) }
  }
  return undefined
}

function archivedHour(file: string): number | undefined {
  const [, year, month, day, hour] = ARCHIVE_FILE.exec(file) ?? []
  return year === undefined ? undefined : Date.parse(`${year}-${month}-${day}T${hour}:00:00Z`)
}

/** The first time that the next line confirms: one alone may be wild. */
function beginning(times: readonly number[]): number | undefined {
  const near = (a: number, b: number | undefined) => b !== undefined && Math.abs(a - b) <= HEAD_SPREAD_MS
  const first = times.find((ms, n) => near(ms, times[n + 1])) ?? times[0]
  return first === undefined ? undefined : Math.min(...times.filter((ms) => near(ms, first)))
}
