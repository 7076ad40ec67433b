// How much a sink takes: all, or so many records a second, with late answers or with refusals beyond that.
export interface Limit {
  readonly recordsPerSecond: number
  /** slow: the answer comes when the rate allows it; refuse: 429 once the queue is a second long. */
  readonly manner: 'slow' | 'refuse'
}

export interface Gate {
  /** How many ms the answer to these records has to wait; undefined: refuse them. */
  admit(records: number, nowMs: number): number | undefined
}

const QUEUE_MS_MAX = 1000

export function createGate(limit: Limit | undefined): Gate {
  let freeMs = 0
  return {
    admit(records, nowMs) {
      if (limit === undefined) return 0
      const from = Math.max(nowMs, freeMs)
      if (limit.manner === 'refuse' && from - nowMs > QUEUE_MS_MAX) return undefined
      freeMs = from + (records / limit.recordsPerSecond) * 1000
      return limit.manner === 'refuse' ? 0 : freeMs - nowMs
    },
  }
}
