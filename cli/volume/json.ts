// Volumes and costs as JSON: by the names of the configurations, for a day.
import { type Amount, totalOf, type VolumeRow } from './volume.js'

/** Three decimals: what is kept is an average. */
export function amountJson({ records, bytes }: Amount): Amount {
  return { records: Math.round(records * 1000) / 1000, bytes: Math.round(bytes) }
}

export function keptJson(kept: readonly Amount[], names: readonly string[]): Record<string, Amount> {
  return Object.fromEntries(names.map((name, n) => [name, amountJson(kept[n] ?? { records: 0, bytes: 0 })]))
}

export function rowsJson(rows: readonly VolumeRow[], names: readonly string[]): unknown[] {
  return rows.map(({ namespace, service, level, in: all, kept }) => ({
    namespace,
    service,
    level,
    in: amountJson(all),
    kept: keptJson(kept, names),
  }))
}

export function totalJson(rows: readonly VolumeRow[], names: readonly string[]): unknown {
  const total = totalOf(rows, names.length)
  return { in: amountJson(total.in), kept: keptJson(total.kept, names) }
}
