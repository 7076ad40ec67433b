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
 * new traffic as soon as all but two of its seconds are: `seconds − 1` seconds later it is within 1 / (seconds − 2) of it.
 */
export function createEstimate(seconds: number): Estimate {
  const counts: number[] = []
  return {
    add(perSecond) {
      counts.push(perSecond)
      if (counts.length > seconds) counts.shift()
    },
    value() {
      if (counts.length < SECONDS_MIN) return undefined
      const left = counts.length >= PAIR_FROM ? 2 : 1
      let most = 0
      let sum = 0
      for (let at = 0; at < counts.length; at++) {
        const count = counts[at] as number
        sum += count
        most = Math.max(most, left === 2 ? count + (counts[at + 1] ?? 0) : count)
      }
      return Math.max(0, sum - most) / (counts.length - left)
    },
  }
}

/** The share of a service's info records to keep. `perSecond` undefined: nothing is known yet, all are kept. */
export function infoRate(
  perSecond: number | undefined,
  { target_per_second, floor }: { readonly target_per_second: number; readonly floor: number },
): number {
  if (perSecond === undefined || perSecond <= target_per_second) return 1
  return Math.max(floor, target_per_second / perSecond)
}
