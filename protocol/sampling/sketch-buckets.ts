// The buckets of the latency sketch: which bucket a latency falls in, and which latency a bucket stands for.

/*
 * DDSketch (Masson, Rim, Lee, VLDB 2019) with the cubically interpolated mapping of its authors' libraries, which needs no logarithm:
 * a latency is 2^e × (1 + s) with 0 ≤ s < 1, and log2(1 + s) is replaced by P(s) = 6/35 s³ − 3/5 s² + 10/7 s. P'(s)(1 + s) is at least
 * 10/7, so a bucket of width 1/35 in e + P(s) has at most the width 1/50 in ln: its borders differ by a factor of at most e^0.02, and
 * its middle is at most tanh(0.01) = 0.99997 % off. With 35 buckets an octave, 35 × P(s) = ((6s − 21)s + 50)s has whole coefficients.
 * The kernel states the same constants once more.
 */
export const BUCKETS_PER_OCTAVE = 35
/** The lowest bucket begins at 2^-10 ms (0.98 µs); what is less falls in it too, zero included. */
export const EXPONENT_MIN = -10
/** The highest bucket ends at 2^30 ms (12.4 days); what is more falls in it too. */
export const EXPONENT_MAX = 30
export const SKETCH_BUCKETS = BUCKETS_PER_OCTAVE * (EXPONENT_MAX - EXPONENT_MIN)
/** 35 × P(s) = ((CUBIC_A × s + CUBIC_B) × s + CUBIC_C) × s */
export const CUBIC_A = 6
export const CUBIC_B = -21
export const CUBIC_C = 50
/** Largest relative error of a latency between 2^-10 ms and 2^30 ms; below it the absolute error is under a microsecond. */
export const RELATIVE_ERROR = 0.01

const LATENCY_MIN_MS = 2 ** EXPONENT_MIN
const LATENCY_MAX_MS = 2 ** EXPONENT_MAX
const bits = new DataView(new ArrayBuffer(8))

/** The bucket, 0 … SKETCH_BUCKETS − 1, of a latency in ms. Out of range is clamped; negative and NaN, which callers leave out, are 0. */
export function bucketOf(latencyMs: number): number {
  if (!(latencyMs >= LATENCY_MIN_MS)) return 0
  if (latencyMs >= LATENCY_MAX_MS) return SKETCH_BUCKETS - 1
  bits.setFloat64(0, latencyMs)
  const high = bits.getUint32(0)
  const exponent = (high >>> 20) - 1023
  // The same digits with exponent 0 are 1 + s.
  bits.setUint32(0, (high & 0xfffff) | 0x3ff00000)
  const s = bits.getFloat64(0) - 1
  const inOctave = Math.floor(((CUBIC_A * s + CUBIC_B) * s + CUBIC_C) * s)
  // At s just under 1 the rounding may give the next octave's first bucket, whose border is one rounding away.
  return (exponent - EXPONENT_MIN) * BUCKETS_PER_OCTAVE + Math.min(inOctave, BUCKETS_PER_OCTAVE - 1)
}

/** The latency in ms that a bucket stands for: off from each of the bucket's latencies by RELATIVE_ERROR at most. */
export function valueOf(bucket: number): number {
  const octave = Math.floor(bucket / BUCKETS_PER_OCTAVE)
  const value = OCTAVE_VALUES[bucket - octave * BUCKETS_PER_OCTAVE]
  if (value === undefined || octave < 0 || bucket >= SKETCH_BUCKETS) return Number.NaN
  return value * 2 ** (octave + EXPONENT_MIN)
}

/** 1 + s where the bucket of an octave begins: P is inverted by bisection, 53 steps to the last digit. */
function bucketStart(inOctave: number): number {
  let low = 0
  let high = 1
  for (let step = 0; step < 53; step++) {
    const s = (low + high) / 2
    if (((CUBIC_A * s + CUBIC_B) * s + CUBIC_C) * s < inOctave) low = s
    else high = s
  }
  return 1 + high
}

/** Of all values the harmonic mean of both borders has the smallest relative error at either. */
const OCTAVE_VALUES: readonly number[] = Array.from({ length: BUCKETS_PER_OCTAVE }, (_, n) => {
  const [low, high] = [n === 0 ? 1 : bucketStart(n), bucketStart(n + 1)]
  return (2 * low * high) / (low + high)
})
