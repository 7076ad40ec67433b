// The table of captures that `millrace capture list` prints.
import { printable } from './text-table.js'

export interface ListedCapture {
  /** `<cluster>/<namespace>/<name>`. */
  readonly key: string
  readonly bytes: number
  readonly atMs: number
  readonly place: string
}

export function captureTable(captures: readonly ListedCapture[], storePlace: string): string {
  if (captures.length === 0) return `no captures in ${storePlace} and none on this disk`
  const rows = captures.map(({ key, bytes, atMs, place }) => {
    const [cluster = '', namespace = '', name = ''] = key.split('/')
    return [new Date(atMs).toISOString(), cluster, namespace, String(bytes), name, place].map(printable)
  })
  const head = ['WHEN', 'CLUSTER', 'NAMESPACE', 'BYTES', 'NAME', 'WHERE']
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)))
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] as number))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
