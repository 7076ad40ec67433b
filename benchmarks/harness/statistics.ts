// Several measurements of one thing as one figure with its spread.

export interface Summary {
  readonly median: number
  readonly least: number
  readonly most: number
  readonly values: readonly number[]
}

/** Of an even number the mean of the middle two. Throws for none. */
export function summarize(values: readonly number[]): Summary {
  if (values.length === 0) throw new Error('nothing was measured')
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  const upper = sorted[half] as number
  const median = sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] as number)) / 2
  return { median, least: sorted[0] as number, most: sorted.at(-1) as number, values }
}

/** The whole range as a share of the median: how much two runs of this may differ by chance. */
export function spread({ median, least, most }: Summary): number {
  return median === 0 ? 0 : (most - least) / Math.abs(median)
}
