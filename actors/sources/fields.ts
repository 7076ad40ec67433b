// What the operator states about a source's records, split by how strongly each field binds.
import type { SourceFields } from '../../protocol/config/sources.js'
import type { Origin } from '../../protocol/messages.js'

export type StatedFields = Pick<Origin, 'trusted' | 'fallback' | 'labels'>

const TRUSTED = ['namespace', 'pod_uid', 'pod_name', 'container_name'] as const

/** `namespace`, `pod_*` and `container_name` win over the record; the others fill what it lacks. */
export function statedFields(fields: SourceFields): StatedFields {
  const trusted: Record<string, string> = {}
  for (const name of TRUSTED) if (fields[name] !== undefined) trusted[name] = fields[name]
  return {
    trusted,
    fallback: {
      service_name: fields.service_name ?? 'unknown',
      log_type: fields.log_type ?? 'app',
      ...(fields.log_level === undefined ? {} : { log_level: fields.log_level }),
    },
    ...(fields.labels === undefined ? {} : { labels: fields.labels }),
  }
}

/** How lines of a configured `format` are framed and read. */
export function lineFormat(
  format: 'auto' | 'json' | 'logfmt' | 'klog' | 'text' | 'cri',
): Pick<Origin, 'format' | 'content'> {
  return format === 'cri' ? { format: 'cri', content: 'auto' } : { format: 'lines', content: format }
}

/** The origin's form of the `multiline` option. */
export function multilineOf(
  option: { readonly start: string; readonly wait: number; readonly lines_max: number } | undefined,
): Pick<Origin, 'multiline'> {
  if (option === undefined) return {}
  return { multiline: { start: option.start, waitMs: option.wait, linesMax: option.lines_max } }
}
