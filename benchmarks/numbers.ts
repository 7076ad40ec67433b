// The figures of the README, made from the reports in benchmarks/results: what it claims is what a report there shows.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MillraceError, saidOf, systemCode } from '../protocol/errors.js'
import { machineText } from './harness/machine.js'
import { type BarReport, type CaseReport, REPORT_VERSION, type Report } from './harness/report.js'
import { format } from './harness/runner.js'

const FROM = '<!-- numbers -->'
const TO = '<!-- /numbers -->'

/** What sets a variant apart on the command line, and in words. */
const PIPELINES = [
  { variant: undefined, words: '', text: 'everything kept' },
  { variant: 'sampled', words: ' --sampled', text: 'the default tiers, INFO at 0.1' },
  { variant: 'jetstream', words: ' --buffer jetstream', text: 'everything kept, through JetStream' },
] as const

/** Rewrites what stands between the markers. Throws `usage.bench` where they are missing. */
export function updateNumbers(readme: string, results: string): void {
  const { text, from, to } = demandMarkers(readme)
  writeFileSync(
    readme,
    `${text.slice(0, from)}${FROM}\n${numbersText(readReports(results))}${text.slice(to)}`,
  )
}

/** Throws `usage.bench` where they, or the file, are missing. */
export function demandMarkers(readme: string): { text: string; from: number; to: number } {
  const text = textOf(readme)
  const [from, to] = [text.indexOf(FROM), text.indexOf(TO)]
  if (from >= 0 && to >= from) return { text, from, to }
  throw new MillraceError('usage.bench', `${readme} has no ${FROM} and ${TO}, between which the figures go`)
}

function textOf(readme: string): string {
  try {
    return readFileSync(readme, 'utf8')
  } catch (cause) {
    const code = systemCode(cause) ?? saidOf(cause)
    throw new MillraceError('usage.bench', `--readme: ${readme} can not be read (${code})`, { cause })
  }
}

/** All reports of a folder, whatever else lies in it. */
export function readReports(folder: string): readonly Report[] {
  if (!existsSync(folder)) return []
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'))
  return files.toSorted().flatMap((name) => {
    const report = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Partial<Report>
    return report.version === REPORT_VERSION && Array.isArray(report.cases) ? [report as Report] : []
  })
}

export function numbersText(reports: readonly Report[]): string {
  const tables = [pipelineTable(reports), peersTable(reports), aimsTable(reports), growthTable(reports)]
  return tables.filter((table) => table !== '').join('\n')
}

function pipelineTable(reports: readonly Report[]): string {
  const found = PIPELINES.flatMap(({ variant, words, text }) => {
    const report = reports.find((each) => each.bench === 'pipeline' && each.variant === variant)
    const own = report?.cases.find(({ role }) => role === 'measured')
    return report === undefined || own === undefined ? [] : [{ report, own, words, text }]
  })
  if (found.length === 0) return ''
  const rows = found.map(({ report, own, words, text }) => [
    `${text}, ${figure(Number(report.options['records']))} records`,
    `\`npm run bench -- pipeline${words}\``,
    `${median(own, 'recordsPerCpuSecond')} (${median(own, 'steadyRecordsPerCpuSecond')} without the start)`,
    ratio(own),
    median(own, 'recordsPerSecond'),
    `${median(own, 'peakRssMegabytes')} MB`,
    String(report.machine.loadBefore),
  ])
  const head = ['', 'command', 'records per CPU second', '× the loop', 'records/s', 'peak RSS', 'load']
  return `${machineText((found[0] as { report: Report }).report.machine).replace(/, load .*/, '')}. The loop is JSON.parse and stringify over
the same file in the same run; both backends acknowledge with full answers, the journal syncs each commit, start-up is included. Load:
that of the machine in the minute before; above 1 other work took part of it.

${table(head, rows)}`
}

function peersTable(reports: readonly Report[]): string {
  const report = reports.find(({ bench }) => bench === 'peers')
  const own = report?.cases.find(({ role }) => role === 'measured')
  const peers = report?.cases.filter(({ role }) => role === 'peer') ?? []
  if (report === undefined || own === undefined || peers.length === 0) return ''
  const rows = [own, ...peers].map((each) => [
    each.name,
    median(each, 'recordsPerCpuSecond'),
    ratio(each),
    each === own ? '' : timesAs(own, each),
    median(each, 'recordsPerSecond'),
    `${median(each, 'peakRssMegabytes')} MB`,
    `${median(each, 'esPercent')} and ${median(each, 'lokiPercent')} %`,
  ])
  const head = [
    '',
    'records per CPU second',
    '× the loop',
    'Millrace: times as many',
    'records/s',
    'peak RSS',
    'in Elasticsearch and Loki',
  ]
  return `Beside other agents at the same work, in turn in one run of ${figure(Number(report.options['records']))} records (\`npm run bench -- peers\`, load ${report.machine.loadBefore}
before it); start-up is included for all, the journal with fsync for Millrace:

${table(head, rows)}`
}

function aimsTable(reports: readonly Report[]): string {
  const rows = reports.flatMap((report) =>
    report.bars.map((bar) => [
      `${bar.what}${bar.case.includes('records/s') || bar.case.startsWith('at_bound') ? ` (${bar.case})` : ''}`,
      aimText(bar, report),
      `${figure(bar.measured)}${bar.met ? '' : ' (missed)'}`,
      `\`npm run bench -- ${commandOf(report)}\``,
      String(report.machine.loadBefore),
    ]),
  )
  if (rows.length === 0) return ''
  return `The aims:\n\n${table(['', 'aim', 'measured', 'command', 'load'], rows)}`
}

function growthTable(reports: readonly Report[]): string {
  const report = reports.find(({ bench }) => bench === 'scaling')
  const own = report?.cases.filter(({ role }) => role === 'measured') ?? []
  if (report === undefined || own.length === 0) return ''
  const rows = own.map((each) => [
    each.name,
    median(each, 'steadyRecordsPerCpuSecond'),
    median(each, 'megabytesPerCpuSecond'),
    each.ratios['megabytesPerCpuSecond']?.median.toFixed(2) ?? '-',
    `${median(each, 'peakRssMegabytes')} MB`,
  ])
  const head = ['', 'records per CPU second', 'MB per CPU second', '× the loop', 'peak RSS']
  return `How the cost grows, everything kept, ${figure(Number(report.options['records']))} records each, the start taken off (\`npm run bench -- scaling\`, load ${report.machine.loadBefore} before it):

${table(head, rows)}`
}

function commandOf({ bench, variant }: Report): string {
  const words = PIPELINES.find((each) => each.variant === variant)?.words ?? ''
  return `${bench}${bench === 'pipeline' ? words : ''}`
}

function aimText({ least, most, metric }: BarReport, { metrics }: Report): string {
  const { unit = '', label = '' } = metrics.find(({ key }) => key === metric) ?? {}
  const aim = least === undefined ? `≤ ${figure(most ?? 0)}` : `≥ ${figure(least)}`
  return `${aim} ${unit === '' ? label : unit}`
}

function ratio({ ratios }: CaseReport): string {
  return ratios['recordsPerCpuSecond']?.median.toFixed(2) ?? '-'
}

/** Records per CPU second, to those of a peer. */
function timesAs(own: CaseReport, peer: CaseReport): string {
  const [ours, theirs] = [own, peer].map(({ metrics }) => metrics['recordsPerCpuSecond']?.median)
  return ours === undefined || theirs === undefined ? '-' : (ours / theirs).toFixed(1)
}

function median({ metrics }: CaseReport, key: string): string {
  const value = metrics[key]?.median
  return value === undefined ? '-' : figure(value)
}

/** Three or four digits that mean something. */
function figure(value: number): string {
  const rounded = Number(value.toPrecision(value >= 1e5 ? 4 : 3))
  return format(rounded, Number.isInteger(rounded) ? 0 : rounded < 10 ? 2 : 1)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`.replaceAll('|  |', '| |')
  return `${[line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')}\n`
}
