// What goes in and what is kept, by service and level: the figures that `simulate` and `report` show.

export interface VolumeKey {
  readonly namespace: string
  readonly service: string
  /** `unknown` where no level was found. */
  readonly level: string
}

export interface Amount {
  readonly records: number
  readonly bytes: number
}

export interface VolumeRow extends VolumeKey {
  readonly in: Amount
  /** One for each configuration, in their order. */
  readonly kept: readonly Amount[]
}

export const NOTHING: Amount = { records: 0, bytes: 0 }
export const DAY_MS = 86_400_000

export function add(a: Amount, b: Amount): Amount {
  return { records: a.records + b.records, bytes: a.bytes + b.bytes }
}

export function scale({ records, bytes }: Amount, by: number): Amount {
  return { records: records * by, bytes: bytes * by }
}

export function scaleRow(row: VolumeRow, by: number): VolumeRow {
  return { ...row, in: scale(row.in, by), kept: row.kept.map((each) => scale(each, by)) }
}

/** The sum of rows; `kept` has one amount for each of so many configurations. */
export function totalOf(rows: readonly VolumeRow[], configs: number): Pick<VolumeRow, 'in' | 'kept'> {
  return {
    in: rows.reduce((sum, row) => add(sum, row.in), NOTHING),
    kept: Array.from({ length: configs }, (_, n) =>
      rows.reduce((sum, row) => add(sum, row.kept[n] ?? NOTHING), NOTHING),
    ),
  }
}

/** Those with most bytes in first; what is beyond `max` in one row a level, which `other` names. */
export function largest(
  rows: readonly VolumeRow[],
  max: number,
  configs: number,
  other: (rows: readonly VolumeRow[]) => string,
): VolumeRow[] {
  const sorted = rows.toSorted(
    (a, b) => b.in.bytes - a.in.bytes || (a.service < b.service ? -1 : 1) || (a.level < b.level ? -1 : 1),
  )
  if (sorted.length <= max) return sorted
  const rest = sorted.slice(max)
  return [
    ...sorted.slice(0, max),
    { namespace: '', service: other(rest), level: '', ...totalOf(rest, configs) },
  ]
}
