// The ways a stand-in can misbehave on request, and the countdown of the requests that are still to suffer.

export type Faults = {
  /** Answer with this status instead of doing the work. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Wait this long before anything else. */
  readonly delayMs?: number
  /** Never answer (until the stand-in is closed). */
  readonly hang?: boolean
  /** Reset the connection instead of answering. */
  readonly reset?: boolean
  /** Do the work, then break the connection half-way through the answer. */
  readonly halfAnswer?: boolean
  /** Do the work although `status`, `hang` or `reset` is set: the lost acknowledgement. */
  readonly stored?: boolean
  /** Acknowledge, but do not store: every entry, or this share of them. */
  readonly swallow?: boolean | number
  /** Elasticsearch: refuse this share of a bulk's items (default all) with this status. */
  readonly itemStatus?: number
  readonly itemShare?: number
  /** Elasticsearch: leave this many items out of the end of a bulk's answer. */
  readonly missingItems?: number
  /** How many requests suffer; left out: all until the faults are cleared. */
  readonly requests?: number
  /** Which requests suffer: bulk and push (default), or every one. */
  readonly on?: 'writes' | 'all'
}

export type FaultSwitch = {
  /** `{}` or undefined clears. */
  set(faults: Faults | undefined): void
  /** The faults for one request; counts it. */
  next(isWrite: boolean): Faults
}

const none: Faults = {}

export function createFaultSwitch(initial: Faults | undefined): FaultSwitch {
  let current = initial ?? none
  let left = current.requests ?? Number.POSITIVE_INFINITY
  return {
    set(faults) {
      current = faults ?? none
      left = current.requests ?? Number.POSITIVE_INFINITY
    },
    next(isWrite) {
      if (current === none || left <= 0 || (!isWrite && current.on !== 'all')) return none
      left--
      return current
    },
  }
}

/** Picks a share evenly and the same way every time: 0.25 picks the 4th, 8th, 12th, ... */
export function everyShare(share: number): () => boolean {
  let due = 0
  return () => {
    due += share
    if (due < 1 - 1e-9) return false
    due -= 1
    return true
  }
}
