// Volumes and costs as text: tables whose numbers stand under each other.
import { printable } from '../text-table.js'
import type { Costs } from './cost.js'
import { totalPerDay } from './cost.js'
import { type Amount, NOTHING, totalOf, type VolumeRow } from './volume.js'

/** Columns from `numbersFrom` on are aligned to the right. */
export function columns(rows: readonly (readonly string[])[], numbersFrom: number): string[] {
  const widths = (rows[0] ?? []).map((_, n) => Math.max(...rows.map((row) => (row[n] ?? '').length)))
  return rows.map((row) =>
    row
      .map((cell, n) => (n < numbersFrom ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}

/** `names` of the configurations whose kept amounts the rows have; with two of them, the change is shown. */
export function volumeTable(rows: readonly VolumeRow[], names: readonly string[]): string[] {
  const head = ['service', 'level', 'records in', 'bytes in']
  for (const name of names) head.push(`${name}kept`, '%', 'bytes')
  if (names.length === 2) head.push('change')
  const cells = rows.map((row) => [printable(serviceOf(row)), row.level, ...figures(row)])
  const total = ['total', '', ...figures(totalOf(rows, names.length))]
  return columns([head, ...cells, total], 2)
}

function serviceOf({ namespace, service }: VolumeRow): string {
  return namespace === '' ? service : `${namespace}/${service}`
}

function figures({ in: all, kept }: Pick<VolumeRow, 'in' | 'kept'>): string[] {
  const cells = [whole(all.records), bytesText(all.bytes)]
  for (const each of kept) cells.push(whole(each.records), percent(each, all), bytesText(each.bytes))
  if (kept.length === 2)
    cells.push(signed((kept[1] ?? NOTHING).records - (kept[0] ?? NOTHING).records, whole))
  return cells
}

function percent(part: Amount, all: Amount): string {
  if (all.records === 0) return '-'
  const share = (100 * part.records) / all.records
  return share === 0 || share >= 0.1 ? share.toFixed(1) : '<0.1'
}

export interface NamedCosts {
  readonly name: string
  readonly currency: string
  readonly costs: Costs
}

/** One line a configuration; with two of them in the same currency, the difference. */
export function costTable(all: readonly NamedCosts[]): string[] {
  const backends = [...new Set(all.flatMap(({ costs }) => Object.keys(costs)))]
  const head = [
    'a day at each backend',
    ...backends.flatMap((name) => [`${printable(name)} bytes`, 'cost']),
    'total',
  ]
  const rows = all.map(({ name, currency, costs }) => {
    const cells = backends.flatMap((backend) => {
      const cost = costs[backend]
      if (cost === undefined) return ['-', '-']
      return [bytesText(cost.bytesPerDay), money(cost.price?.perDay, currency)]
    })
    return [name, ...cells, money(totalPerDay(costs), currency)]
  })
  return columns([head, ...rows, ...difference(all, backends)], 1)
}

function difference(all: readonly NamedCosts[], backends: readonly string[]): string[][] {
  const [a, b] = all
  if (a === undefined || b === undefined || a.currency !== b.currency) return []
  const less = (x: number | undefined, y: number | undefined) =>
    x === undefined || y === undefined ? '-' : signed(y - x, (value) => money(value, a.currency))
  const cells = backends.flatMap((backend) => {
    const [one, other] = [a.costs[backend], b.costs[backend]]
    const bytes =
      one === undefined || other === undefined ? '-' : signed(other.bytesPerDay - one.bytesPerDay, bytesText)
    return [bytes, less(one?.price?.perDay, other?.price?.perDay)]
  })
  return [['difference', ...cells, less(totalPerDay(a.costs), totalPerDay(b.costs))]]
}

function money(value: number | undefined, currency: string): string {
  if (value === undefined) return '-'
  const digits = value === 0 || value >= 0.1 ? 2 : 4
  return `${value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${printable(currency)}`
}

function signed(value: number, text: (value: number) => string): string {
  return value === 0 ? text(0) : `${value < 0 ? '-' : '+'}${text(Math.abs(value))}`
}

export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** 1000-based, three digits. */
export function bytesText(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let size = value
  let unit = 0
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000
    unit++
  }
  return `${unit === 0 || size >= 99.95 ? size.toFixed(0) : size.toFixed(1)} ${units[unit]}`
}
