// Cuts the entries of one stream in a frame, sorted by time, into segments: one label set, one five-minute window each.
import type { Stream, Streams, Track } from './streams.js'

export interface Segment {
  readonly track: Track
  /** Number of the five-minute window. */
  readonly window: number
  readonly from: number
  readonly to: number
}

/** A push never mixes two of these for one stream. */
const WINDOW_MS = 300_000
/** Loki refuses what is more than 60 minutes (max_chunk_age / 2) behind the newest of its stream. */
const BEHIND_MS = 55 * 60_000
/** Other nodes write into the same streams, so that their newest time may be the present. */
const BEHIND_NOW_MS = 50 * 60_000
/** Loki refuses what is further ahead (creation_grace_period). */
const AHEAD_MS = 10 * 60_000

/**
 * Segments of the positions [from, to), oldest first. `late` is the end of those at the beginning for which no level is left: Loki
 * would refuse them. Moves the tracks' newest times: call it once for what will be sent.
 */
export function segmentsOf(
  streams: Streams,
  stream: Stream,
  from: number,
  to: number,
  timeMs: (position: number) => number,
  nowMs: number,
): { readonly segments: readonly Segment[]; readonly late: number } {
  const segments: Segment[] = []
  let end = to
  for (let level = 0; end > from; level++) {
    const track = streams.track(stream, level)
    if (track === undefined) break
    const newestMs = timeMs(end - 1)
    const present = level === 0 ? nowMs - BEHIND_NOW_MS : Number.NEGATIVE_INFINITY
    const oldestMs = Math.max(track.newestMs - BEHIND_MS, present)
    const start = lowerBound(from, end, oldestMs, timeMs)
    if (start === end) continue
    // What Loki refuses as too new does not move its window either.
    track.newestMs = Math.max(track.newestMs, Math.min(newestMs, nowMs + AHEAD_MS))
    cutWindows(segments, track, start, end, timeMs)
    end = start
  }
  return { segments: segments.sort((a, b) => a.from - b.from), late: end }
}

function cutWindows(
  into: Segment[],
  track: Track,
  from: number,
  to: number,
  timeMs: (position: number) => number,
): void {
  for (let start = from; start < to; ) {
    const window = Math.floor(timeMs(start) / WINDOW_MS)
    const same = Math.floor(timeMs(to - 1) / WINDOW_MS) === window
    const end = same ? to : lowerBound(start, to, (window + 1) * WINDOW_MS, timeMs)
    into.push({ track, window, from: start, to: end })
    start = end
  }
}

/** First position in [from, to) whose time is at least `ms`. */
function lowerBound(from: number, to: number, ms: number, timeMs: (position: number) => number): number {
  let low = from
  let high = to
  while (low < high) {
    const middle = (low + high) >>> 1
    if (timeMs(middle) < ms) low = middle + 1
    else high = middle
  }
  return low
}
