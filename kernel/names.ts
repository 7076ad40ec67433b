// Member names that have a meaning, in plain TypeScript: the same targets as assembly/names.ts, and when a value is readable for its target.
import { TRUST } from './table.js'
import { levelOfRaw } from './twin-level.js'
import { readTimeValue } from './twin-time.js'

export type Target =
  | 'timestamp'
  | 'log_level'
  | 'source'
  | 'message'
  | 'service_name'
  | 'log_type'
  | 'trace_id'
  | 'namespace'
  | 'pod_uid'
  | 'pod_name'
  | 'container_name'
  | 'node_name'
  | 'stream'
  | 'labels'
  | 'reserved'

const TARGETS: ReadonlyMap<string, Target> = new Map<string, Target>([
  ...['timestamp', 'ts', 'time', '@timestamp'].map((name) => [name, 'timestamp'] as const),
  ...['log_level', 'level', 'severity', 'lvl'].map((name) => [name, 'log_level'] as const),
  ...['source', 'caller'].map((name) => [name, 'source'] as const),
  ...['message', 'msg'].map((name) => [name, 'message'] as const),
  ...(['service_name', 'log_type', 'trace_id', 'namespace', 'stream'] as const).map(
    (name) => [name, name] as const,
  ),
  ...(['pod_uid', 'pod_name', 'container_name', 'node_name'] as const).map((name) => [name, name] as const),
  ...['cluster_id', 'sample_rate', 'truncated', 'batch_id', 'rid'].map((name) => [name, 'reserved'] as const),
  ['kubernetes', 'labels'],
])

/** Aliases whose unreadable values stay as they are; any other name's are renamed `<target>_raw`. */
const LENIENT: ReadonlySet<string> = new Set(['ts', 'time', '@timestamp', 'severity', 'lvl'])

/** The target of a root member's (decoded) key. */
export function targetOf(key: string): Target | undefined {
  return TARGETS.get(key) ?? (key.startsWith('kubernetes.labels.') ? 'labels' : undefined)
}

export function isLenient(key: string): boolean {
  return LENIENT.has(key)
}

/** The TRUST bit that makes the host's word win over this target. */
export function trustBit(target: Target): number {
  const bits: Partial<Record<Target, number>> = {
    namespace: TRUST.NAMESPACE,
    pod_uid: TRUST.POD_UID,
    pod_name: TRUST.POD_NAME,
    container_name: TRUST.CONTAINER_NAME,
    node_name: TRUST.NODE_NAME,
    labels: TRUST.LABELS,
    stream: TRUST.STREAM,
  }
  return bits[target] ?? 0
}

const isString = (raw: string): boolean => raw.startsWith('"')

/** True when a raw JSON value can be used for its target. */
export function isReadable(target: Target, raw: string): boolean {
  switch (target) {
    case 'timestamp':
      return readTimeValue(raw) !== undefined
    case 'log_level':
      return levelOfRaw(raw) !== 0
    case 'log_type':
      return raw === '"app"' || raw === '"audit"' || raw === '"metric"'
    case 'service_name':
    case 'namespace':
    case 'pod_uid':
      return isString(raw) && raw.length > 2
    case 'trace_id':
    case 'pod_name':
    case 'container_name':
    case 'node_name':
      return isString(raw)
    default:
      return true
  }
}
