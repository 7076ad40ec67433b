// Lanes: per lane one open piece of kernel memory in which the entries of its streams gather, as encoded protobuf, until a push is due.
import type { Clock } from '../../../runtime/clock.js'
import type { Kernel } from '../../../kernel/kernel.js'
import type { Track } from './streams.js'

/** Encoded entries of one label set and window, from one frame, side by side in the lane's memory. */
export interface Chunk {
  readonly track: Track
  readonly window: number
  readonly seq: number
  readonly frame: string
  /** Its records may be at Loki already. */
  readonly suspect: boolean
  readonly records: number
  readonly ptr: number
  readonly bytes: number
  /** Time of its first entry, ms. */
  readonly fromMs: number
}

export interface Lane {
  readonly number: number
  readonly ptr: number
  readonly limit: number
  out: number
  chunks: Chunk[]
  /** Bytes that the labels will add. */
  labelBytes: number
  begunMs: number
  ordinal: number
}

export function createLanes(
  kernel: Pick<Kernel, 'alloc'>,
  count: number,
  laneBytes: number,
): readonly Lane[] {
  return Array.from({ length: count }, (_, number) => {
    const ptr = kernel.alloc(laneBytes, 64)
    return {
      number,
      ptr,
      limit: ptr + laneBytes - 64,
      out: ptr,
      chunks: [],
      labelBytes: 0,
      begunMs: 0,
      ordinal: 0,
    }
  })
}

/** Size of the push that the lane would make. */
export function laneBytes(lane: Lane): number {
  return lane.out - lane.ptr + lane.labelBytes
}

export function addChunk(lane: Lane, chunk: Chunk, ordinal: number, clock: Clock): void {
  if (lane.chunks.length === 0) {
    lane.begunMs = clock.monotonic()
    lane.ordinal = ordinal
  }
  lane.chunks.push(chunk)
  lane.labelBytes += chunk.track.labels.length + 16
  lane.out = chunk.ptr + chunk.bytes
}

/**
 * What the next push of a lane takes: of every label set the chunks of its oldest window, sorted by time. What stays behind are
 * later windows, which go in pushes of their own.
 */
export function nextPush(chunks: readonly Chunk[]): {
  readonly groups: readonly (readonly Chunk[])[]
  readonly rest: Chunk[]
} {
  const byTrack = new Map<Track, Chunk[]>()
  for (const chunk of chunks) {
    const known = byTrack.get(chunk.track)
    if (known === undefined) byTrack.set(chunk.track, [chunk])
    else known.push(chunk)
  }
  const groups: Chunk[][] = []
  const rest: Chunk[] = []
  for (const group of byTrack.values()) {
    const window = group.reduce((oldest, chunk) => Math.min(oldest, chunk.window), Number.POSITIVE_INFINITY)
    const now = group.filter((chunk) => chunk.window === window)
    groups.push(now.sort((a, b) => a.fromMs - b.fromMs))
    if (now.length < group.length) rest.push(...group.filter((chunk) => chunk.window !== window))
  }
  return { groups, rest }
}
