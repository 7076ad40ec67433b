// A node's counters as volumes and costs of a day: since its start, or between two looks.
import type { ReportOptions } from '../../protocol/config/report.js'
import { formatDuration } from '../../protocol/config/units.js'
import type { NodeStatus } from '../../protocol/status.js'
import { type Costs, costsOf } from '../volume/cost.js'
import { rowsJson, totalJson } from '../volume/json.js'
import { printable } from '../text-table.js'
import { costTable, volumeTable } from '../volume/text.js'
import { type Amount, DAY_MS, largest, NOTHING, scaleRow, type VolumeRow } from '../volume/volume.js'

export interface Look {
  readonly status: NodeStatus
  readonly rows: readonly VolumeRow[]
}

export interface NodeReport {
  readonly node: string
  readonly sinceStart: boolean
  /** The time that the counts are of, ms. */
  readonly spanMs: number
  readonly counted: readonly VolumeRow[]
  readonly perDay: readonly VolumeRow[]
  readonly prices: ReportOptions
  readonly costs: Costs
  readonly notes: readonly string[]
}

const SPAN_MS_MIN = 1000
const HOUR_MS = 3_600_000

/** Without `before`, or when the node was started anew between the looks: since its start. */
export function reportBetween(before: Look | undefined, now: Look, prices: ReportOptions): NodeReport {
  const first = before !== undefined && before.status.uptimeMs < now.status.uptimeMs ? before : undefined
  const spanMs = Math.max(SPAN_MS_MIN, now.status.uptimeMs - (first?.status.uptimeMs ?? 0))
  const counted = (first === undefined ? now.rows : difference(first.rows, now.rows)).filter(
    (row) => row.in.records > 0,
  )
  const { backends } = now.status
  const written = (name: string): number =>
    Math.max(0, (backends[name]?.writtenBytes ?? 0) - (first?.status.backends[name]?.writtenBytes ?? 0))
  const notes = [
    "bytes in and kept are those of the lines; a backend's bytes are those sent to it, before compression",
  ]
  if (spanMs < HOUR_MS)
    notes.push(`a day is extrapolated from ${formatDuration(Math.round(spanMs / 1000) * 1000)}`)
  if (before !== undefined && first === undefined)
    notes.push('the node was started anew meanwhile: the figures are since then')
  if (now.rows.some(({ namespace, service }) => namespace === 'other' && service === 'other'))
    notes.push('other/other: all services beyond the first 64 of the node')
  return {
    node: now.status.node,
    sinceStart: first === undefined,
    spanMs,
    counted,
    perDay: counted.map((row) => scaleRow(row, DAY_MS / spanMs)),
    prices,
    costs: costsOf(Object.keys(backends), prices, (name) => (written(name) * DAY_MS) / spanMs),
    notes,
  }
}

function difference(before: readonly VolumeRow[], now: readonly VolumeRow[]): VolumeRow[] {
  const known = new Map(before.map((row) => [keyOf(row), row]))
  const less = (a: Amount, b: Amount = NOTHING): Amount => ({
    records: Math.max(0, a.records - b.records),
    bytes: Math.max(0, a.bytes - b.bytes),
  })
  return now.map((row) => {
    const then = known.get(keyOf(row))
    return { ...row, in: less(row.in, then?.in), kept: row.kept.map((each, n) => less(each, then?.kept[n])) }
  })
}

function keyOf({ namespace, service, level }: VolumeRow): string {
  return JSON.stringify([namespace, service, level])
}

export function reportText(report: NodeReport, rowsMax: number): string {
  const { node, sinceStart, spanMs, perDay, prices, costs, notes } = report
  const span = formatDuration(Math.max(1, Math.round(spanMs / 1000)) * 1000)
  const lines = [
    `node ${printable(node)}: figures of a day, from ${sinceStart ? `the ${span} since its start` : `the last ${span}`}`,
    '',
  ]
  if (perDay.length === 0) lines.push('no records were read')
  else {
    const shown = largest(perDay, rowsMax, 1, (rest) => `${rest.length} more (--rows)`)
    lines.push(
      ...volumeTable(shown, ['']),
      '',
      ...costTable([{ name: 'now', currency: prices.currency, costs }]),
    )
  }
  if (Object.keys(prices.cost).length === 0) lines.push('no prices: report.cost.<backend> has them')
  return [...lines, '', ...notes.map((note) => `- ${note}`)].join('\n')
}

export function reportJson(report: NodeReport): unknown {
  const { node, sinceStart, spanMs, counted, perDay, prices, costs, notes } = report
  const names = ['now']
  return {
    node,
    sinceStart,
    spanMs,
    counted: { rows: rowsJson(counted, names), total: totalJson(counted, names) },
    perDay: { rows: rowsJson(perDay, names), total: totalJson(perDay, names) },
    costs: { currency: prices.currency, backends: costs },
    notes,
  }
}
