// A simulation's figures as text and as JSON.
import { formatDuration } from '../../protocol/config/units.js'
import { rowsJson, totalJson } from '../volume/json.js'
import { printable } from '../text-table.js'
import { bytesText, costTable, volumeTable, whole } from '../volume/text.js'
import { DAY_MS, largest } from '../volume/volume.js'
import type { SimulationResult } from './run.js'

export function simulationText(result: SimulationResult, rowsMax: number): string {
  const { sides, input, perDay, costs, notes } = result
  const names = sides.map(({ name }) => name)
  const shown = largest(perDay, rowsMax, names.length, (rest) => `${rest.length} more (--rows)`)
  const costed = sides.map(({ name, config }, n) => ({
    name,
    currency: config.report.currency,
    costs: costs[n] ?? {},
  }))
  const priced = sides.some(({ config }) => Object.keys(config.report.cost).length > 0)
  return [
    ...sides.map(({ name, file }) => `${name.padEnd(9)}${file}`),
    `input    ${inputText(input)}`,
    `a day    ${dayText(input.spanMs)}`,
    '',
    ...volumeTable(shown, names.length === 1 ? [''] : names.map((name) => `${name} `)),
    '',
    ...costTable(costed),
    ...(priced ? [] : ['no prices: report.cost.<backend> has them']),
    '',
    ...notes.map((note) => `- ${printable(note)}`),
  ].join('\n')
}

function inputText({ files, lines, bytes, fromMs, toMs }: SimulationResult['input']): string {
  const amount = `${whole(files)} ${files === 1 ? 'file' : 'files'}, ${whole(lines)} lines, ${bytesText(bytes)}`
  return fromMs === undefined || toMs === undefined
    ? amount
    : `${amount}, ${timeText(fromMs)} to ${timeText(toMs)}`
}

function dayText(spanMs: number): string {
  const times = DAY_MS / spanMs
  const factor = times >= 100 ? whole(times) : times.toPrecision(3)
  return `all figures are per day: ${factor} times the input, which took ${formatDuration(spanMs)}`
}

const timeText = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z')

export function simulationJson(result: SimulationResult): unknown {
  const { sides, input, rows, perDay, costs, notes } = result
  const names = sides.map(({ name }) => name)
  const { fromMs, toMs, ...rest } = input
  const at = (ms: number | undefined) => (ms === undefined ? null : timeText(ms))
  return {
    input: { ...rest, from: at(fromMs), to: at(toMs), dayFactor: DAY_MS / input.spanMs },
    configs: Object.fromEntries(sides.map(({ name, file }) => [name, file])),
    counted: { rows: rowsJson(rows, names), total: totalJson(rows, names) },
    perDay: { rows: rowsJson(perDay, names), total: totalJson(perDay, names) },
    costs: Object.fromEntries(
      sides.map(({ name, config }, n) => [name, { currency: config.report.currency, backends: costs[n] }]),
    ),
    notes,
  }
}
