// Elasticsearch's answers: JSON with documents passed through byte for byte, its error shape, and filter_path.
import type { Answer } from './http.js'

/** JSON that is already written: a document's source. */
export type RawJson = { readonly rawJson: Buffer }

const isRaw = (value: unknown): value is RawJson =>
  typeof value === 'object' && value !== null && (value as Partial<RawJson>).rawJson instanceof Buffer

export function json(value: unknown, filterPath: string | null = null, status = 200): Answer {
  const shown =
    filterPath === null
      ? value
      : (filtered(
          value,
          filterPath.split(',').map((path) => path.split('.')),
        ) ?? {})
  return { status, body: write(shown), headers: { 'content-type': 'application/json' } }
}

export function failure(
  status: number,
  type: string,
  reason: string,
  more: Readonly<Record<string, unknown>> = {},
): Answer {
  const cause = { type, reason, ...more }
  return json({ error: { root_cause: [cause], ...cause }, status }, null, status)
}

export const indexNotFound = (name: string): Answer =>
  failure(404, 'index_not_found_exception', `no such index [${name}]`, {
    'resource.type': 'index_or_alias',
    'resource.id': name,
    index_uuid: '_na_',
    index: name,
  })

function write(value: unknown): string {
  if (isRaw(value)) return value.rawJson.toString()
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined)
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${write(inner)}`).join(',')}}`
}

/** Keeps what one of the paths reaches: `*` stands for one key (also inside a name), lists are seen through. */
function filtered(value: unknown, paths: readonly (readonly string[])[]): unknown {
  if (paths.some((path) => path.length === 0)) return value
  if (isRaw(value)) return filtered(JSON.parse(value.rawJson.toString()), paths)
  if (Array.isArray(value)) {
    const items = value.map((item) => filtered(item, paths)).filter((item) => item !== undefined)
    return items.length > 0 ? items : undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const kept: [string, unknown][] = []
  for (const [key, inner] of Object.entries(value)) {
    const next = paths.filter(([head = '']) => matches(head, key)).map((path) => path.slice(1))
    const shown = next.length > 0 ? filtered(inner, next) : undefined
    if (shown !== undefined) kept.push([key, shown])
  }
  return kept.length > 0 ? Object.fromEntries(kept) : undefined
}

const matches = (pattern: string, key: string): boolean =>
  pattern === '*' ||
  pattern === key ||
  (pattern.includes('*') &&
    new RegExp(
      `^${pattern
        .split('*')
        .map((part) => part.replace(/\W/g, '\\$&'))
        .join('.*')}$`,
    ).test(key))
