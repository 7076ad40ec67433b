// What every backend gives and gets: frames in, batches out, one try of a batch, and what came of it.
import type { Logger } from 'pino'
import type { FrameHeader } from '../../protocol/frame.js'
import type { Clock } from '../../runtime/clock.js'
import type { Metrics } from '../../runtime/metrics.js'
import type { Kernel } from '../../kernel/kernel.js'

/** A frame whose raw body lies in the writer's own kernel memory, until `encode` has taken it whole. */
export interface LoadedFrame {
  readonly seq: number
  /** Position in the order of arrival at this writer (seqs of a backfill are older than live ones). */
  readonly ordinal: number
  readonly header: FrameHeader
  readonly rawPtr: number
  readonly indexPtr: number
  /** Some of its records may have been sent before. */
  readonly suspect: boolean
}

/** How many records of a frame something covers. */
export interface Part {
  readonly seq: number
  readonly records: number
}

export interface Batch {
  /** Batches of the same lane are sent one after the other, in the order of their offering; undefined: in any order. */
  readonly lane?: number
  /** Size of the request body. */
  readonly bytes: number
  readonly records: number
  readonly parts: readonly Part[]
  /** Gives back the memory of the body; called once, when the batch itself will not be sent again. */
  release?(): void
}

/** A record that the backend can never take. */
export interface Refused {
  readonly seq: number
  readonly frame: string
  readonly n: number
  /** A short stable code: `line_too_long`, `too_old`, `mapping`, … */
  readonly reason: string
  /** What the backend said. */
  readonly detail?: string
  /** The canonical record. */
  readonly record: string
}

/** Why a request did not do its work; all are tried again. */
export interface Fault {
  /** overload: 429, slow down; down: no answer, 5xx, nonsense; blocked: only the operator can mend it (401, 403, 404, …). */
  readonly kind: 'overload' | 'down' | 'blocked'
  /** Names what happened and, where there is one, the way out. Holds no record's content. */
  readonly reason: string
  readonly retryAfterMs?: number
}

/** What one try came to. Settled, refused and `next` together are the records of the batch that was tried. */
export interface Result<B extends Batch> {
  readonly settled: readonly Part[]
  readonly refused: readonly Refused[]
  /** What is still to be sent, in order: the same batch, what is left of it, or its halves. */
  readonly next: readonly B[]
  readonly fault?: Fault
}

/** Circumstances of one try. */
export interface Turn {
  /** 1 for the first try of this batch. */
  readonly number: number
  /** Aborts on timeout and on shutdown; the body's memory may be reused once `attempt` has returned. */
  readonly signal: AbortSignal
  /** Monotonic ms of the first try of this batch. */
  readonly firstMs: number
  /** Monotonic ms of the last time the backend stored something; -Infinity before the first. */
  readonly storedMs: number
}

export interface BackendContext<B extends Batch> {
  /** The configured name. */
  readonly name: string
  readonly nodeId: string
  readonly kernel: Kernel
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  /** A batch is ready to be sent. */
  offer(batch: B): void
  /** Records that must not even be sent. */
  refuse(refused: readonly Refused[]): void
}

export interface Backend<B extends Batch> {
  /** Reaches the backend and prepares it (templates); a rejection is tried again later. */
  open(signal: AbortSignal): Promise<void>
  /** Encodes a frame as far as memory allows; false: call again with the same frame when a batch was released. Never sends. */
  encode(frame: LoadedFrame): boolean
  /** Offers the open batches begun at or before this time (monotonic ms). Returns when the oldest still open one began. */
  flush(begunMs: number): number | undefined
  /** Offers the open batches that hold records of frames up to this ordinal: they keep memory from being freed. */
  relieve(ordinal: number): void
  /** One try. Never rejects: what goes wrong is a fault. */
  attempt(batch: B, turn: Turn): Promise<Result<B>>
  close(): Promise<void>
}

export const EVERYTHING = Number.POSITIVE_INFINITY

/** The result of a try after which all is still to be done. */
export function failed<B extends Batch>(batch: B, fault: Fault): Result<B> {
  return { settled: [], refused: [], next: [batch], fault }
}

/** Sums records by frame; parts of a batch are few, so a list is enough. */
export function addPart(parts: { seq: number; records: number }[], seq: number, records: number): void {
  const last = parts.at(-1)
  const known = last?.seq === seq ? last : parts.find((part) => part.seq === seq)
  if (known === undefined) parts.push({ seq, records })
  else known.records += records
}
