// The last seconds of a container's stderr, read from its log on disk at the moment they are wanted: until then they cost nothing.
import { systemCode } from '../../protocol/errors.js'
import { linesBackwards } from './backwards.js'
import { containerLogs, type PodLogs } from './log-folder.js'

export interface StderrLine {
  readonly container: string
  /** As the runtime wrote it. */
  readonly time: string
  readonly atMs: number
  readonly text: string
}

export interface StderrTail {
  readonly lines: readonly StderrLine[]
  /** Older lines of the window were left out at the bound. */
  readonly truncated: boolean
  /** Number of the newest start that wrote into the window; undefined where nothing is known. */
  readonly restart?: number
}

export interface TailOptions {
  readonly logs: PodLogs
  /** Undefined: all containers of the pod. */
  readonly container: string | undefined
  /** When it ended, wall clock ms. */
  readonly atMs: number
  readonly windowMs: number
  readonly bytesMax: number
}

/** A trace may go on, and clocks of the kubelet are coarse. Beyond it the next start's lines begin. */
const AFTER_MS = 2500
/** Most bytes of log that are searched for stderr, as a multiple of what may be kept. */
const SEARCH_FACTOR = 4
const FILES_MAX = 4
const CONTAINERS_MAX = 10
/** `<time> stderr F <text>`: the format of the container runtimes (kubernetes/design-proposals, CRI logging). */
const HEADER = /^(\S{20,40}) (stdout|stderr) ([PF])(?::[^ ]*)? ?/
const HEADER_BYTES = 64

/** Where nothing was written in the window, it ends with the last line there is before it. Oldest line first. */
export async function readStderrTail(options: TailOptions): Promise<StderrTail> {
  const { logs, container } = options
  const names = container === undefined ? logs.containers.slice(0, CONTAINERS_MAX) : [container]
  const tails = await Promise.all(names.map((name) => tailOf(name, options)))
  const lines = tails.flatMap((tail) => tail.lines)
  if (names.length > 1) lines.sort((a, b) => a.atMs - b.atMs)
  const restarts = tails.flatMap(({ restart }) => (restart === undefined ? [] : [restart]))
  return {
    lines,
    truncated: tails.some(({ truncated }) => truncated),
    ...(restarts.length === 0 || names.length > 1 ? {} : { restart: Math.max(...restarts) }),
  }
}

async function tailOf(container: string, options: TailOptions): Promise<StderrTail> {
  const { logs, atMs, windowMs, bytesMax } = options
  const untilMs = atMs + AFTER_MS
  const budget = { bytes: bytesMax * SEARCH_FACTOR }
  const reversed: (StderrLine & { readonly partial: boolean })[] = []
  let fromMs = atMs - windowMs
  let keptBytes = 0
  let restart: number | undefined
  for (const file of (await containerLogs(logs.folder, container)).slice(0, FILES_MAX)) {
    try {
      for await (const line of linesBackwards(file.path, budget)) {
        const parsed = parse(line)
        if (parsed === undefined || parsed.atMs > untilMs) continue
        restart ??= file.restart
        if (parsed.stream === 'stderr' && reversed.length === 0)
          fromMs = Math.min(fromMs, parsed.atMs - windowMs)
        if (parsed.atMs < fromMs && reversed.length > 0) return finish(false)
        if (parsed.stream !== 'stderr') continue
        keptBytes += line.length
        if (keptBytes > bytesMax) return finish(true)
        const { time, partial } = parsed
        const text = line.toString('utf8', parsed.headerBytes)
        reversed.push({ container, time, atMs: parsed.atMs, text, partial })
      }
    } catch (error) {
      // Rotated away, or the container's folder is gone: what was read counts.
      if (systemCode(error) !== 'ENOENT') throw error
    }
  }
  return finish(budget.bytes <= 0)

  function finish(truncated: boolean): StderrTail {
    return { lines: joined(reversed.reverse()), truncated, ...(restart === undefined ? {} : { restart }) }
  }
}

function parse(line: Buffer) {
  const match = HEADER.exec(line.toString('latin1', 0, HEADER_BYTES))
  if (match === null) return undefined
  const [header, time = '', stream, tag] = match
  const atMs = Date.parse(time)
  if (Number.isNaN(atMs)) return undefined
  return { time, stream, partial: tag === 'P', atMs, headerBytes: header.length }
}

/** Pieces of one line become one. */
function joined(pieces: readonly (StderrLine & { readonly partial: boolean })[]): StderrLine[] {
  const lines: StderrLine[] = []
  let open: StderrLine | undefined
  for (const { partial, ...piece } of pieces) {
    const line = open === undefined ? piece : { ...open, text: open.text + piece.text }
    open = partial ? line : undefined
    if (!partial) lines.push(line)
  }
  return open === undefined ? lines : [...lines, open]
}
