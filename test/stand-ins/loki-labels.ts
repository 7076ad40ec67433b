// Loki's labels: reading and writing `{a="b"}`, the names it rewrites, and the two it adds by itself.

export type Labels = Readonly<Record<string, string>>

const pairPattern = /\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*("(?:[^"\\]|\\.)*"|`[^`]*`)\s*(,|$)/y

/** Throws where the text is no label set. */
export function parseLabels(text: string): Labels {
  const inner = /^\s*\{([\s\S]*)\}\s*$/.exec(text)?.[1]
  if (inner === undefined) throw new Error(`couldn't parse labels: ${text}`)
  const labels: Record<string, string> = {}
  pairPattern.lastIndex = 0
  while (inner.slice(pairPattern.lastIndex).trim() !== '') {
    const at = pairPattern.lastIndex
    const [, name, quoted] = pairPattern.exec(inner) ?? []
    if (name === undefined || quoted === undefined) {
      throw new Error(`couldn't parse labels: 1:${at + 2}: parse error in ${text}`)
    }
    labels[name] = unquote(quoted)
  }
  return labels
}

/** Go's string literals, as far as JSON's escapes go. */
export function unquote(quoted: string): string {
  if (quoted.startsWith('`')) return quoted.slice(1, -1)
  return JSON.parse(quoted) as string
}

export function formatLabels(labels: Labels): string {
  const pairs = Object.keys(labels)
    .sort()
    .map((name) => `${name}=${JSON.stringify(labels[name])}`)
  return `{${pairs.join(', ')}}`
}

/** `kubernetes.labels.x` is stored as `kubernetes_labels_x`. */
export const normalName = (name: string): string =>
  name.replace(/[^a-zA-Z0-9_]/g, '_').replace(/^(?=\d)/, 'key_')

// limits_config.discover_service_name
const serviceNames = [
  ...[
    'service',
    'app',
    'application',
    'app_name',
    'name',
    'app_kubernetes_io_name',
    'container',
    'container_name',
  ],
  ...['k8s_container_name', 'component', 'workload', 'job', 'k8s_job_name'],
]

export function withServiceName(labels: Labels): Labels {
  if (labels['service_name'] !== undefined) return labels
  const known = serviceNames.find((name) => labels[name] !== undefined)
  return { ...labels, service_name: (known === undefined ? undefined : labels[known]) ?? 'unknown_service' }
}

/** A rough version of Loki's own guess, good enough to show that metadata holds more than what was sent. */
export function detectedLevel(line: string): string {
  const word = /\b(trace|debug|info|warn(?:ing)?|error|err|fatal|critical)\b/i
    .exec(line.slice(0, 256))?.[1]
    ?.toLowerCase()
  if (word === undefined) return 'unknown'
  return { warning: 'warn', err: 'error' }[word] ?? word
}
