// Puts the audit together from a configuration: readers of the backends, comparison, repair; the actor and the command line use the same.
import path from 'node:path'
import type { Logger } from 'pino'
import type { AuditTask } from '../../protocol/audit.js'
import type { AuditOptions } from '../../protocol/config/audit.js'
import type { BackendOptions } from '../../protocol/config/backends.js'
import { MillraceError, saidOf } from '../../protocol/errors.js'
import type { Clock } from '../../runtime/clock.js'
import { createDeadLetters, type DeadLetters, lettersFolder } from '../../runtime/dead-letters.js'
import { readLetters } from '../../runtime/letter-store.js'
import { makeFolder } from '../../runtime/make-folder.js'
import type { Metrics } from '../../runtime/metrics.js'
import type { LetterStream } from '../letters/letter-stream.js'
import { createFrameBook, type FrameBook, type OpenBook } from '../writers/frame-book.js'
import type { AuditLog } from './audit-log.js'
import { type Checker, createChecker } from './check.js'
import { createComparison } from './compare.js'
import { createElasticsearchReader } from './elasticsearch-reader.js'
import { createExchange } from './exchange.js'
import { createLokiReader } from './loki-reader.js'
import type { BackendReader } from './reader.js'
import { createRepair, type Repair } from './repair.js'
import { spread } from './spread.js'

export interface EngineOptions {
  readonly audit: AuditOptions
  readonly backends: Readonly<Record<string, BackendOptions>>
  readonly node: { readonly id: string; readonly clusterId: string; readonly dataDir: string }
  /** The frame as the journal has it; undefined when that has let go of it. */
  encoded(task: AuditTask): Promise<Uint8Array | undefined>
  /** False: differences are only told. */
  readonly repairs: boolean
  /** Default: all frames are this node's to mend. */
  mends?(task: AuditTask): boolean
  /** The letters of all nodes; undefined where there is no NATS. Rejects with a MillraceError while they cannot be read. */
  sharedLetters?(): Promise<Pick<LetterStream, 'names' | 'ofFrame'> | undefined>
  readonly clock: Clock
  random(): number
  readonly log: Logger
  readonly auditLog: AuditLog
  /** Ends the folders of what a repair could not send: each process appends to its own. Default `@audit`. */
  readonly lettersIn?: string
  readonly metrics: Metrics
}

export interface Engine extends Checker {
  readonly readers: readonly BackendReader[]
  readonly repair: Repair
  /** Numbers of records in the dead letters, by frame and backend. */
  deadOf(
    tasks: readonly AuditTask[],
  ): Promise<ReadonlyMap<string, Readonly<Record<string, readonly number[]>>>>
  spread(task: AuditTask): Promise<AuditTask>
  close(): Promise<void>
}

/** Frames that are looked at more than once in a row. */
const BOOKS_MAX = 4
/** A letter is older than its frame's acknowledgement, and younger than its frame: clocks and outages are given this. */
const LETTERS_BEFORE_MS = 7 * 24 * 3_600_000

/** Throws `config.*` for unreadable secrets. */
export function createEngine(options: EngineOptions): Engine {
  const { audit, backends, node, clock, metrics } = options
  const stopping = new AbortController()
  const readers = openReaders(options, stopping.signal)
  const lettersRoot = lettersFolder(node.dataDir)
  const letterFiles = new Map<string, DeadLetters>()
  const books = new Map<string, OpenBook>()
  let frames: FrameBook | undefined

  async function bookOf(task: AuditTask): Promise<OpenBook | undefined> {
    const known = books.get(task.id)
    if (known !== undefined) return known
    const encoded = await options.encoded(task)
    if (encoded === undefined) return undefined
    const book = openBook(task, encoded)
    if (book === undefined) return undefined
    // A seq of another life of the folder: not this frame.
    if (book.header.id !== task.id) return undefined
    books.set(task.id, book)
    for (const oldest of books.keys()) {
      if (books.size <= BOOKS_MAX) break
      books.delete(oldest)
    }
    return book
  }

  function openBook(task: AuditTask, encoded: Uint8Array): OpenBook | undefined {
    frames ??= createFrameBook()
    try {
      return frames.open(encoded)
    } catch (error) {
      // What another node hands over is not this node's fault: the record is taken from somewhere else.
      if (task.node !== node.id && error instanceof MillraceError) return undefined
      throw error
    }
  }

  /** Beside the writer's own files, which are another thread's or process's. */
  function letters(backend: string): DeadLetters {
    const known = letterFiles.get(backend)
    if (known !== undefined) return known
    makeFolder(lettersRoot)
    const made = createDeadLetters({
      folder: path.join(lettersRoot, `${backend}${options.lettersIn ?? '@audit'}`),
    })
    letterFiles.set(backend, made)
    return made
  }

  async function deadOf(tasks: readonly AuditTask[]) {
    const wanted = new Set(tasks.map(({ id }) => id))
    const found = new Map<string, Record<string, number[]>>()
    for (const { id, dead } of tasks)
      for (const [backend, numbers] of Object.entries(dead ?? {})) add(found, id, backend, numbers)
    const oldestMs = Math.min(...tasks.map(({ ackedMs }) => ackedMs)) - LETTERS_BEFORE_MS
    for await (const { letter } of readLetters(lettersRoot, oldestMs))
      if (wanted.has(letter.frame)) add(found, letter.frame, letter.backend, [letter.n])
    // After the folder: a letter is in the stream before it leaves that.
    const shared = await options.sharedLetters?.()
    if (shared !== undefined)
      for await (const { frame, backend, n } of answered(shared.names(wanted)))
        add(found, frame, backend, [n])
    return found
  }

  async function encoded(task: AuditTask): Promise<Uint8Array | undefined> {
    return (await bookOf(task)) === undefined ? undefined : options.encoded(task)
  }

  const repair = createRepair({
    backends,
    readers,
    encoded,
    letters,
    async *buried({ id, ackedMs }) {
      for await (const { letter } of readLetters(lettersRoot, ackedMs - LETTERS_BEFORE_MS))
        if (letter.frame === id) yield { n: letter.n, line: letter.record }
      const shared = await options.sharedLetters?.()
      if (shared === undefined) return
      for await (const letter of answered(shared.ofFrame(id))) yield { n: letter.n, line: letter.record }
    },
    nodeId: node.id,
    clock,
    random: () => options.random(),
    log: options.log,
    metrics,
  })
  const spreadTask = (task: AuditTask) => spread(task, bookOf)
  const comparison = createComparison({
    readers,
    records: audit.compare,
    random: () => options.random(),
    original: async (task, n) => (await bookOf(task))?.line(n),
    metrics,
  })
  const checker = createChecker({
    readers,
    ...(options.repairs ? { repair } : {}),
    mends: (task) => options.mends?.(task) ?? true,
    comparison,
    spread: spreadTask,
    deadOf,
    clock,
    log: options.auditLog,
    metrics,
    unexpected: (error) => options.log.error({ err: error }, 'audit: a check failed for another reason'),
  })
  return {
    ...checker,
    readers,
    repair,
    deadOf,
    spread: spreadTask,
    async close() {
      stopping.abort()
      await repair.close()
      await Promise.all(readers.map((reader) => reader.close()))
      for (const file of letterFiles.values()) await file.close()
    },
  }
}

/** What fails is NATS: no difference, and nothing else than a backend that does not answer. */
async function* answered<T>(letters: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* letters
  } catch (cause) {
    throw lettersAway(saidOf(cause), cause)
  }
}

/** Without them a record that a backend refused would look like one that is missing. */
export function lettersAway(why: string, cause?: unknown): MillraceError {
  const text = `the dead letters in NATS cannot be read (${why}): frames that differ are looked at again later`
  return new MillraceError('audit.letters', text, { cause })
}

function add(
  to: Map<string, Record<string, number[]>>,
  id: string,
  backend: string,
  numbers: readonly number[],
): void {
  const known = to.get(id) ?? {}
  known[backend] = [...(known[backend] ?? []), ...numbers]
  to.set(id, known)
}

function openReaders(options: EngineOptions, signal: AbortSignal): BackendReader[] {
  const { audit, clock, metrics, node } = options
  return Object.entries(options.backends).flatMap(([name, backend]) => {
    if (backend.type === 'archive') return []
    const exchange = createExchange({
      name,
      options: backend,
      clock,
      queriesPerSecond: audit.queries_per_second,
      signal,
      asked: () => metrics.add('audit_queries_total', 1, { backend: name }),
    })
    return backend.type === 'elasticsearch'
      ? [createElasticsearchReader(name, backend, exchange)]
      : [createLokiReader(name, backend, node.clusterId, exchange)]
  })
}
