// A report as text for a terminal.
import type { Metric } from './bench.js'
import { machineText } from './machine.js'
import { type BarReport, type CaseReport, type Report, reportName } from './report.js'
import { format } from './runner.js'
import { spread, type Summary } from './statistics.js'

export function renderReport(report: Report): string {
  const columns = report.metrics.filter(({ key }) => report.cases.some(({ metrics }) => metrics[key]))
  const ratioKeys = [...new Set(report.cases.flatMap(({ ratios }) => Object.keys(ratios)))]
  const head = [
    '',
    ...columns.map(({ label, unit }) => (unit === '' ? label : `${label}, ${unit}`)),
    ...ratioKeys.map((key) => `× reference (${labelOf(report, key)})`),
  ]
  const rows = report.cases.map((each) => [
    each.role === 'measured' ? each.name : `${each.name} (${each.role})`,
    ...columns.map((column) => cell(each.metrics[column.key], column)),
    ...ratioKeys.map((key) => ratioCell(each, key)),
  ])
  const parts = [
    `${reportName(report)}: ${report.summary}`,
    machineText(report.machine),
    `${report.rounds} rounds; median, and in brackets half the range of all rounds as a share of it`,
    '',
    ...aligned([head, ...rows]),
  ]
  if (report.bars.length > 0) parts.push('', ...report.bars.map((bar) => barLine(bar, report.metrics)))
  if (report.notes.length > 0) parts.push('', ...report.notes.map((note) => `note: ${note}`))
  return parts.join('\n')
}

function cell(summary: Summary | undefined, { digits = 0 }: Pick<Metric, 'digits'>): string {
  if (summary === undefined) return '-'
  const range = summary.values.length > 1 ? ` (±${Math.round(spread(summary) * 50)} %)` : ''
  return `${format(summary.median, digits)}${range}`
}

function ratioCell({ ratios, against }: CaseReport, key: string): string {
  return against === undefined ? '' : cell(ratios[key], { digits: 2 })
}

function labelOf({ metrics }: Report, key: string): string {
  return metrics.find((metric) => metric.key === key)?.label ?? key
}

function barLine(
  { what, least, most, measured, met, metric }: BarReport,
  metrics: readonly Metric[],
): string {
  const { digits = 0, unit = '' } = metrics.find(({ key }) => key === metric) ?? {}
  const aim =
    least === undefined ? `at most ${format(most ?? 0, digits)}` : `at least ${format(least, digits)}`
  const share = least === undefined ? '' : ` (${Math.round((100 * measured) / least)} % of it)`
  return `aim ${met ? 'met   ' : 'missed'} ${what}: ${aim} ${unit}, measured ${format(measured, digits)}${share}`
}

/** The first `words` columns to the left, the figures behind them to the right. */
export function aligned(rows: readonly (readonly string[])[], words = 1): string[] {
  const widths: number[] = []
  for (const row of rows) row.forEach((text, n) => (widths[n] = Math.max(widths[n] ?? 0, text.length)))
  return rows.map((row) =>
    row
      .map((text, n) => (n < words ? text.padEnd(widths[n] ?? 0) : text.padStart(widths[n] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}
