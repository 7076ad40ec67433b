// One canonical record as a line for people: time, level, service, message, and the record's own fields.
import { printable } from './text-table.js'

const SHOWN = new Set(['timestamp', 'log_level', 'service_name', 'message'])
/** What the host adds to every record; `--json` shows it. */
const QUIET =
  /^(?:pod_uid|namespace|cluster_id|log_type|pod_name|container_name|node_name|stream|sample_rate|kubernetes\..*)$/

export function recordText(line: string): string {
  const record = parse(line)
  if (record === undefined) return printable(line)
  const head = [
    record['timestamp'],
    valueText(record['log_level']).padEnd(5),
    record['service_name'],
    record['message'],
  ]
  const rest = Object.entries(record)
    .filter(([key]) => !SHOWN.has(key) && !QUIET.test(key))
    .map(([key, value]) => `${key}=${valueText(value)}`)
  // A record must not move the cursor or colour the terminal.
  return printable([...head.map(valueText), ...rest].join('  '))
}

function valueText(value: unknown): string {
  return typeof value === 'string' ? value : value === undefined ? '-' : JSON.stringify(value)
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
