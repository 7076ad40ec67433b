// A service's info records per second from its last seconds, such that a burst of one second does not move it.

export interface Estimate {
  /** One more second's count, of all nodes together. */
  add(perSecond: number): void
  /** Undefined until three full seconds were seen: until then the service is kept in full. */
  value(): number | undefined
}

/** Seconds before the first estimate. */
export const SECONDS_MIN = 3
/** From so many seconds on, two neighbours are left out: a burst of one second falls into two of them. */
const PAIR_FROM = 6

/**
 * The mean of the last `seconds` counts without the two neighbouring seconds that hold most. After a lasting change the mean is that of the
 * new traffic as soon as all but two of its seconds are: `seconds − 1` seconds later it is within 1 / (seconds − 2) of it. A burst that comes
 * again within `seconds` is traffic like any other: then it is the mean of all of them.
 */
export function createEstimate(seconds: number): Estimate {
  /** Twice as many as the mean is of: what was before the oldest burst in it. */
  const counts: number[] = []
  return {
    add(perSecond) {
      counts.push(perSecond)
      if (counts.length > 2 * seconds) counts.shift()
    },
    value() {
      if (counts.length < SECONDS_MIN) return undefined
      const first = Math.max(0, counts.length - seconds)
      const length = counts.length - first
      const width = length >= PAIR_FROM ? 2 : 1
      const now = peakOf(counts, first, counts.length, width)
      // Not the second just before it, which belongs to the same rise.
      const before = peakOf(counts, Math.max(0, now.at - seconds), now.at - 1, width)
      if (isBurst(now) && isBurst(before) && before.most >= now.most / 2) return now.sum / length
      return Math.max(0, now.sum - now.most) / (length - width)
    },
  }
}

interface Peak {
  /** Where the `width` neighbours begin that hold most. */
  readonly at: number
  readonly most: number
  readonly sum: number
}

function peakOf(counts: readonly number[], from: number, to: number, width: number): Peak {
  let [at, most, sum] = [from, 0, 0]
  for (let n = from; n < to; n++) {
    const count = counts[n] as number
    sum += count
    const held = width === 2 && n + 1 < to ? count + (counts[n + 1] as number) : count
    if (held > most) [at, most] = [n, held]
  }
  return { at, most, sum }
}

function isBurst({ most, sum }: Peak): boolean {
  return most > sum / 2
}

/** The share of a service's info records to keep. `perSecond` undefined: nothing is known yet, all are kept. */
export function infoRate(
  perSecond: number | undefined,
  { target_per_second, floor }: { readonly target_per_second: number; readonly floor: number },
): number {
  if (perSecond === undefined || perSecond <= target_per_second) return 1
  return Math.max(floor, target_per_second / perSecond)
}
