// A node's sampling counters out of its metrics page (Prometheus text format 0.0.4).
import type { VolumeRow } from '../volume/volume.js'

/** Rows with one kept amount each; services without metrics of their own are `other`. */
export function readCounters(metrics: string): VolumeRow[] {
  const rows = new Map<string, Counted>()
  for (const line of metrics.split('\n')) {
    const match = SERIES.exec(line)
    if (match === null) continue
    const [, name = '', labelText = '', number = ''] = match
    const field = FIELDS[name]
    if (field === undefined) continue
    const labels = labelsOf(labelText)
    const { namespace = '', service = '', level = '' } = labels
    const key = JSON.stringify([namespace, service, level])
    const row = rows.get(key) ?? { namespace, service, level, seen: 0, kept: 0, seenBytes: 0, keptBytes: 0 }
    row[field] += Number(number)
    rows.set(key, row)
  }
  return Array.from(rows.values(), ({ namespace, service, level, seen, kept, seenBytes, keptBytes }) => ({
    namespace,
    service,
    level,
    in: { records: seen, bytes: seenBytes },
    kept: [{ records: kept, bytes: keptBytes }],
  }))
}

interface Counted {
  readonly namespace: string
  readonly service: string
  readonly level: string
  seen: number
  kept: number
  seenBytes: number
  keptBytes: number
}

const SERIES = /^log_pipeline_(sampling_\w+_total)\{(.*)\} (\S+)/
const FIELDS: Readonly<Record<string, 'seen' | 'kept' | 'seenBytes' | 'keptBytes'>> = {
  sampling_seen_total: 'seen',
  sampling_kept_total: 'kept',
  sampling_seen_bytes_total: 'seenBytes',
  sampling_kept_bytes_total: 'keptBytes',
}

function labelsOf(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  for (const [, name = '', value = ''] of text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
    labels[name] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped))
  return labels
}
