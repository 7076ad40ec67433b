// The report's plot, written by hand as SVG: bars with their range for the first metric that is compared, and the curves beside them.
import type { Metric, Plot } from './bench.js'
import { linearScale, logScale, tickText } from './plot-scale.js'
import { type CaseReport, type Report, reportName } from './report.js'

const WIDTH = 760
const LEFT = 230
const RIGHT = 90
const ROW = 26
const CURVE_HEIGHT = 240
const CURVE_LEFT = 70
const COLORS = ['#2b6cb0', '#c05621', '#2f855a', '#6b46c1', '#b83280', '#4a5568', '#975a16', '#086f83']
const ROLE_COLORS: Readonly<Record<CaseReport['role'], string>> = {
  measured: '#2b6cb0',
  reference: '#a0aec0',
  peer: '#c05621',
}

/** A whole SVG file. */
export function renderPlot(report: Report): string {
  const metric = report.metrics.find(({ key }) => report.cases.some(({ metrics }) => metrics[key]))
  const sections = [
    ...(metric === undefined ? [] : [bars(report, metric)]),
    ...report.plots.filter(({ curves }) => curves.some(({ points }) => points.length > 0)).map(lines),
  ]
  let y = 44
  const placed = sections.map(({ svg, height }) => {
    const text = `<g transform="translate(0 ${y})">${svg}</g>`
    y += height + 28
    return text
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<text x="12" y="20" font-size="15" font-weight="bold">${escapeText(`millrace bench ${reportName(report)}`)}</text>
<text x="12" y="36" fill="#4a5568">${escapeText(`${report.machine.cpu}, ${report.machine.cores} cores, node ${report.machine.node}, ${report.at.slice(0, 10)}`)}</text>
${placed.join('\n')}
</svg>
`
}

interface Section {
  readonly svg: string
  readonly height: number
}

function bars({ cases }: Report, { key, label, unit }: Metric): Section {
  const shown = cases.filter(({ metrics }) => metrics[key] !== undefined)
  const scale = linearScale(shown.map(({ metrics }) => metrics[key]?.most ?? 0))
  const x = (value: number): number => LEFT + scale.at(value) * (WIDTH - LEFT - RIGHT)
  const height = 24 + shown.length * ROW
  const parts = [`<text x="12" y="10" font-weight="bold">${escapeText(`${label}, ${unit}`)}</text>`]
  for (const tick of scale.ticks)
    parts.push(
      `<line x1="${fix(x(tick))}" x2="${fix(x(tick))}" y1="18" y2="${height}" stroke="#e2e8f0"/>`,
      `<text x="${fix(x(tick))}" y="${height + 14}" text-anchor="middle" fill="#4a5568">${tickText(tick)}</text>`,
    )
  shown.forEach(({ name, role, metrics }, n) => {
    const { median = 0, least = 0, most = 0 } = metrics[key] ?? {}
    const y = 22 + n * ROW
    const middle = y + 9
    parts.push(
      `<text x="${LEFT - 8}" y="${middle + 4}" text-anchor="end">${escapeText(name)}</text>`,
      `<rect x="${LEFT}" y="${y}" width="${fix(Math.max(1, x(median) - LEFT))}" height="18" fill="${ROLE_COLORS[role]}"/>`,
      `<line x1="${fix(x(least))}" x2="${fix(x(most))}" y1="${middle}" y2="${middle}" stroke="#1a202c" stroke-width="2"/>`,
      `<text x="${fix(x(most) + 6)}" y="${middle + 4}">${tickText(median)}</text>`,
    )
  })
  return { svg: parts.join(''), height: height + 18 }
}

function lines({ title, xLabel, yLabel, xScale, curves }: Plot): Section {
  const points = curves.flatMap((curve) => curve.points)
  const xs = (xScale === 'log' ? logScale : linearScale)(points.map(([x]) => x))
  const ys = linearScale(points.map(([, y]) => y))
  const x = (value: number): number => CURVE_LEFT + xs.at(value) * (WIDTH - CURVE_LEFT - 160)
  const y = (value: number): number => 20 + (1 - ys.at(value)) * (CURVE_HEIGHT - 60)
  const parts = [`<text x="12" y="10" font-weight="bold">${escapeText(title)}</text>`]
  for (const tick of ys.ticks)
    parts.push(
      `<line x1="${CURVE_LEFT}" x2="${WIDTH - 160}" y1="${fix(y(tick))}" y2="${fix(y(tick))}" stroke="#e2e8f0"/>`,
      `<text x="${CURVE_LEFT - 6}" y="${fix(y(tick) + 4)}" text-anchor="end" fill="#4a5568">${tickText(tick)}</text>`,
    )
  for (const tick of xs.ticks)
    parts.push(
      `<text x="${fix(x(tick))}" y="${CURVE_HEIGHT - 22}" text-anchor="middle" fill="#4a5568">${tickText(tick)}</text>`,
    )
  curves.forEach((curve, n) => {
    const color = COLORS[n % COLORS.length] ?? '#000'
    const path = curve.points.map(([px, py]) => `${fix(x(px))},${fix(y(py))}`).join(' ')
    parts.push(
      `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2"/>`,
      `<text x="${WIDTH - 152}" y="${32 + n * 16}" fill="${color}">${escapeText(curve.name)}</text>`,
    )
  })
  const axes = `${yLabel} over ${xLabel}${xScale === 'log' ? ' (logarithmic)' : ''}`
  parts.push(`<text x="${CURVE_LEFT}" y="${CURVE_HEIGHT - 4}" fill="#4a5568">${escapeText(axes)}</text>`)
  return { svg: parts.join(''), height: CURVE_HEIGHT }
}

function fix(value: number): string {
  return value.toFixed(1)
}

function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
