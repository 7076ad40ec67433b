// A mergeable sketch of latencies: counts by bucket, quantiles with a bounded relative error (DDSketch).
import { MillraceError } from '../errors.js'
import { bucketOf, SKETCH_BUCKETS, valueOf } from './sketch-buckets.js'

export * from './sketch-buckets.js'

/** Memory is 8 bytes for each bucket between the lowest and the highest seen, at most 11 KiB. Counts are whole and exact up to 2^53. */
export interface Sketch {
  /** Counts a latency in ms, `n` times (default 1). */
  add(latencyMs: number, n?: number): void
  /** Counts `n` latencies of a bucket 0 … SKETCH_BUCKETS − 1, as the kernel reports them. Throws `sketch.bucket`. */
  addBucket(bucket: number, n: number): void
  /** Adds all that the other has seen; the result is that of one sketch that saw both. */
  merge(other: Sketch): void
  /** Takes away what was merged before, so that a window can slide. Counts do not go below zero. */
  subtract(other: Sketch): void
  /** The latency in ms at rank floor(q × (count − 1)) of all, q 0 … 1, within RELATIVE_ERROR; undefined when there is none. */
  quantile(q: number): number | undefined
  count(): number
  /** Calls for every bucket that has a count, ascending. */
  each(visit: (bucket: number, n: number) => void): void
  /** For messages: `[bucket, n, bucket, n, …]`, ascending; fromPairs reads it. */
  toPairs(): number[]
  clear(): void
}

/** Ranges grow in steps of this many buckets, so that a drifting latency does not move the counts each time. */
const GROWTH_BUCKETS = 32

export function createSketch(): Sketch {
  /** counts[n] is that of bucket first + n. */
  let counts = new Float64Array(0)
  let first = 0
  let total = 0
  const cover = (bucket: number): void => {
    const from = Math.floor(bucket / GROWTH_BUCKETS) * GROWTH_BUCKETS
    const low = counts.length === 0 ? from : Math.min(first, from)
    const high = Math.max(counts.length === 0 ? 0 : first + counts.length, from + GROWTH_BUCKETS)
    const wider = new Float64Array(high - low)
    wider.set(counts, counts.length === 0 ? 0 : first - low)
    counts = wider
    first = low
  }
  const change = (bucket: number, n: number): void => {
    if (bucket < first || bucket >= first + counts.length) cover(bucket)
    const before = counts[bucket - first] ?? 0
    const after = Math.max(0, before + n)
    counts[bucket - first] = after
    total += after - before
  }
  const each = (visit: (bucket: number, n: number) => void): void => {
    for (let at = 0; at < counts.length; at++) {
      const n = counts[at] as number
      if (n > 0) visit(first + at, n)
    }
  }
  return {
    add: (latencyMs, n = 1) => change(bucketOf(latencyMs), n),
    addBucket(bucket, n) {
      checkPair(bucket, n)
      change(bucket, n)
    },
    merge: (other) => other.each(change),
    subtract: (other) => other.each((bucket, n) => change(bucket, -n)),
    quantile: (q) => (total === 0 ? undefined : valueOf(first + indexAtRank(counts, q * (total - 1)))),
    count: () => total,
    each,
    toPairs() {
      const pairs: number[] = []
      each((bucket, n) => pairs.push(bucket, n))
      return pairs
    },
    clear() {
      counts = new Float64Array(0)
      first = 0
      total = 0
    },
  }
}

/** The first place whose running sum exceeds the rank. */
function indexAtRank(counts: Float64Array, rank: number): number {
  let sum = 0
  let last = 0
  for (let at = 0; at < counts.length; at++) {
    const n = counts[at] as number
    if (n === 0) continue
    sum += n
    if (sum > rank) return at
    last = at
  }
  return last
}

/** A sketch from toPairs' numbers. Throws `sketch.bucket` for a bucket or a count that is none: pairs may come from another node. */
export function fromPairs(pairs: readonly number[]): Sketch {
  const sketch = createSketch()
  for (let at = 0; at < pairs.length; at += 2) {
    sketch.addBucket(pairs[at] ?? Number.NaN, pairs[at + 1] ?? Number.NaN)
  }
  return sketch
}

function checkPair(bucket: number, n: number): void {
  if (!Number.isInteger(bucket) || bucket < 0 || bucket >= SKETCH_BUCKETS) {
    throw new MillraceError('sketch.bucket', `sketch: bucket ${bucket} is not 0 to ${SKETCH_BUCKETS - 1}`)
  }
  if (!Number.isSafeInteger(n) || n < 0) {
    throw new MillraceError('sketch.bucket', `sketch: the count ${n} of bucket ${bucket} is no whole number`)
  }
}
