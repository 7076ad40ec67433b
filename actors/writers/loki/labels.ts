// Label sets as Loki takes them: its names, its limits, its text form.
import type { StreamFields } from '../../../protocol/frame.js'

export interface Label {
  /** As Loki writes it. */
  readonly name: string
  readonly valueOf: (fields: StreamFields) => string | undefined
}

const LABEL_PREFIX = 'kubernetes.labels.'
/** Loki's default limit of a value, bytes. */
const VALUE_BYTES_MAX = 2048
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/

/** `kubernetes.labels.app` → `kubernetes_labels_app`: the form in which Loki stores it anyway. */
export function labelName(name: string): string {
  return name.replace(/[^a-zA-Z0-9_]/g, '_').replace(/^(?=\d)/, '_')
}

/** The configured labels; of two whose names fall together the first stays (Loki itself would keep any one). */
export function labelsOf(names: readonly string[]): {
  readonly labels: readonly Label[]
  readonly colliding: readonly string[]
} {
  const labels = new Map<string, Label>()
  const colliding: string[] = []
  for (const configured of names) {
    const name = labelName(configured)
    if (labels.has(name)) colliding.push(configured)
    else labels.set(name, { name, valueOf: readerOf(configured) })
  }
  return { labels: [...labels.values()], colliding }
}

function readerOf(name: string): Label['valueOf'] {
  if (name.startsWith(LABEL_PREFIX)) {
    const key = name.slice(LABEL_PREFIX.length)
    return (fields) => fields.labels?.[key]
  }
  return (fields) => {
    const value = (fields as unknown as Record<string, unknown>)[name]
    return typeof value === 'string' ? value : undefined
  }
}

/** U+FFFD and lone surrogates fail a whole push, so they become `?`; an empty value is no label. */
export function labelValue(value: string): string {
  if (PLAIN.test(value) && value.length <= VALUE_BYTES_MAX) return value
  const sound = Buffer.from(value).toString().replaceAll('\ufffd', '?')
  const bytes = Buffer.from(sound)
  if (bytes.length <= VALUE_BYTES_MAX) return sound
  // Cutting inside a character leaves U+FFFD at the end.
  return bytes.toString('utf8', 0, VALUE_BYTES_MAX).replace(/\ufffd+$/, '')
}

/** `{a="b", c="d"}`, values quoted as Go does it (JSON's escapes are a part of Go's). */
export function formatLabels(pairs: readonly (readonly [string, string])[]): string {
  return `{${pairs.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(', ')}}`
}
