// A set of frame seqs kept as intervals: what a backend has, usually one long interval and a few short ones behind it.

/** Half open: [from, to). */
export type SeqRange = readonly [from: number, to: number]

export interface SeqSet {
  add(from: number, to?: number): void
  has(seq: number): boolean
  /** The lowest seq ≥ `from` that is not in the set. */
  nextMissing(from: number): number
  /** How many of [from, to) are not in the set. */
  missing(from: number, to: number): number
  /** One past the highest member; 0 when empty. */
  end(): number
  ranges(): SeqRange[]
}

export function createSeqSet(ranges: readonly SeqRange[] = []): SeqSet {
  const starts: number[] = []
  const ends: number[] = []

  /** Index of the first interval whose end is ≥ `seq` (it contains or touches seq, or lies behind it). */
  function firstEndingAt(seq: number): number {
    let low = 0
    let high = ends.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((ends[middle] as number) < seq) low = middle + 1
      else high = middle
    }
    return low
  }

  function add(from: number, to: number = from + 1): void {
    if (to <= from) return
    const first = firstEndingAt(from)
    let last = first
    let start = from
    let end = to
    while (last < starts.length && (starts[last] as number) <= to) {
      start = Math.min(start, starts[last] as number)
      end = Math.max(end, ends[last] as number)
      last++
    }
    starts.splice(first, last - first, start)
    ends.splice(first, last - first, end)
  }

  function nextMissing(from: number): number {
    const at = firstEndingAt(from + 1)
    return at < starts.length && (starts[at] as number) <= from ? (ends[at] as number) : from
  }

  for (const [from, to] of ranges) add(from, to)
  return {
    add,
    nextMissing,
    has: (seq) => nextMissing(seq) !== seq,
    missing(from, to) {
      let members = 0
      for (let at = firstEndingAt(from + 1); at < starts.length && (starts[at] as number) < to; at++) {
        members += Math.min(to, ends[at] as number) - Math.max(from, starts[at] as number)
      }
      return Math.max(0, to - from - members)
    },
    end: () => ends.at(-1) ?? 0,
    ranges: () => starts.map((start, at): SeqRange => [start, ends[at] as number]),
  }
}
