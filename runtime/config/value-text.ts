// Writes a value of the configuration as the file would say it: 60000 of a duration is `1m`.
import { formatBytes, formatDuration } from '../../protocol/config/units.js'
import { type ValueKind } from '../../protocol/config/values.js'

export function valueText(value: unknown, kind: ValueKind | undefined): string {
  if (typeof value === 'number' && kind === 'duration') return formatDuration(value)
  if (typeof value === 'number' && kind === 'size') return formatBytes(value)
  if (Array.isArray(value)) return `[${value.map((part) => valueText(part, undefined)).join(', ')}]`
  if (typeof value === 'object' && value !== null) return JSON.stringify(value)
  return String(value)
}
