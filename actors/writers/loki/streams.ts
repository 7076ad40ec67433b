// The dictionary of Loki streams: label texts rendered once, each with its lane and the newest time it has seen.
import type { Clock } from '../../../runtime/clock.js'
import type { StreamFields } from '../../../protocol/frame.js'
import { formatLabels, type Label, labelValue } from './labels.js'

/** One label set at Loki. Level 0 is the stream itself, level n its `repair="n"` twin for what comes too late for the ones before. */
export interface Track {
  readonly stream: Stream
  readonly level: number
  /** Label text, UTF-8. */
  readonly labels: Buffer
  /** Newest timestamp sent, ms; -Infinity before the first. */
  newestMs: number
}

export interface Stream {
  readonly lane: number
  readonly pairs: readonly (readonly [string, string])[]
  /** Made as they are needed. */
  readonly tracks: Track[]
  usedMs: number
}

export interface Streams {
  of(fields: StreamFields): Stream
  /** The twin for late entries; undefined beyond the last level. */
  track(stream: Stream, level: number): Track | undefined
  /** Finds a track by its label text. */
  find(labels: string): Track | undefined
  size(): number
}

export interface StreamsOptions {
  readonly labels: readonly Label[]
  readonly tenant: string
  readonly lanes: number
  readonly streamsMax: number
}

/** Levels of lateness that are told apart: backfills from so many different hours at once. */
export const LEVELS_MAX = 8
/** Loki has let go of a stream that was idle for this long (chunk_idle_period), so that it does not count as open. */
const IDLE_MS = 1_800_000
const SWEEP_EVERY_MS = 10_000
/** What is left of a record's labels when there are too many streams: each has few values. */
const OVERFLOW_LABELS = new Set(['cluster_id', 'log_level', 'log_type'])

/**
 * Bound: `streamsMax` streams. At the bound idle ones are forgotten; when there are none, new label sets fold into few streams with
 * the label `overflow="1"`. Nothing is lost by that: the record itself holds all fields.
 */
export function createStreams(options: StreamsOptions, clock: Clock): Streams {
  const { labels, tenant, lanes, streamsMax } = options
  const streams = new Map<string, Stream>()
  const tracks = new Map<string, Track>()
  let sweptMs = Number.NEGATIVE_INFINITY

  function make(key: string, pairs: Stream['pairs']): Stream {
    const lane = hash(`${tenant}\0${formatLabels(pairs)}`) % lanes
    const stream: Stream = { lane, pairs, tracks: [], usedMs: clock.monotonic() }
    streams.set(key, stream)
    return stream
  }

  /** Forgets what was not used for a while; looked for at most every so often, since it goes through all. */
  function sweep(): void {
    const now = clock.monotonic()
    if (now - sweptMs < SWEEP_EVERY_MS) return
    sweptMs = now
    for (const [key, stream] of streams) {
      if (now - stream.usedMs < IDLE_MS) continue
      streams.delete(key)
      for (const track of stream.tracks) tracks.delete(track.labels.toString())
    }
  }

  function admit(key: string, pairs: Stream['pairs']): Stream {
    if (streams.size >= streamsMax) sweep()
    if (streams.size < streamsMax) return make(key, pairs)
    const few = [...pairs.filter(([name]) => OVERFLOW_LABELS.has(name)), ['overflow', '1'] as const]
    const fewKey = formatLabels(few)
    return streams.get(fewKey) ?? make(fewKey, few)
  }

  function pairsOf(fields: StreamFields): Stream['pairs'] {
    const pairs = labels.flatMap(({ name, valueOf }) => {
      const value = labelValue(valueOf(fields) ?? '')
      return value === '' ? [] : [[name, value] as const]
    })
    // Loki refuses a stream without labels.
    return pairs.length > 0 ? pairs : [['service_name', 'unknown']]
  }

  function track(stream: Stream, level: number): Track | undefined {
    const known = stream.tracks[level]
    if (known !== undefined) return known
    if (level > LEVELS_MAX) return undefined
    const pairs = level === 0 ? stream.pairs : [...stream.pairs, ['repair', String(level)] as const]
    const text = formatLabels(pairs)
    const made: Track = { stream, level, labels: Buffer.from(text), newestMs: Number.NEGATIVE_INFINITY }
    stream.tracks[level] = made
    tracks.set(text, made)
    return made
  }

  return {
    of(fields) {
      let key = ''
      for (const { valueOf } of labels) key += `${valueOf(fields) ?? ''}\0`
      const stream = streams.get(key) ?? admit(key, pairsOf(fields))
      stream.usedMs = clock.monotonic()
      return stream
    },
    track,
    find: (text) => tracks.get(text),
    size: () => streams.size,
  }
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let n = 0; n < text.length; n++) value = Math.imul(value ^ text.charCodeAt(n), 0x01000193) >>> 0
  return value
}
