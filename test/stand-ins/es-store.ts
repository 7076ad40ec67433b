// What the Elasticsearch stand-in holds: index templates, indices and their documents.
import { type Mapping, type MappingSource, readMapping } from './es-mapping.js'

export type StoredDocument = {
  readonly source: Buffer
  readonly version: number
  readonly sequence: number
  /** Field values that a search has looked up before. */
  readonly values: Map<string, readonly string[]>
}

export type Index = {
  readonly name: string
  readonly mapping: Mapping
  readonly documents: Map<string, StoredDocument>
  /** The number of documents, also where none is kept. */
  count: number
  sequence: number
}

export type TemplateBody = {
  readonly index_patterns?: string | readonly string[]
  readonly priority?: number
  readonly template?: { readonly mappings?: MappingSource; readonly settings?: unknown }
}

export type Store = {
  readonly templates: Map<string, TemplateBody>
  readonly indices: Map<string, Index>
  /** The index, created by the matching template with the highest priority if need be. */
  open(name: string): Index
  create(name: string, mappings: MappingSource): Index
  /** Undefined where a name without a wildcard does not exist. */
  matching(expression: string): { found: Index[]; missing?: string }
}

export function createStore(): Store {
  const templates = new Map<string, TemplateBody>()
  const indices = new Map<string, Index>()

  const add = (name: string, mappings: MappingSource, settings: unknown): Index => {
    const mapping = readMapping(mappings, setting(settings, 'mapping.ignore_malformed') === 'true')
    const index: Index = { name, mapping, documents: new Map(), count: 0, sequence: 0 }
    indices.set(name, index)
    return index
  }

  const templateOf = (name: string) =>
    [...templates.values()]
      .filter((body) => [body.index_patterns ?? []].flat().some((pattern) => wildcard(pattern).test(name)))
      .sort((a, b) => (b.priority ?? 0) - (a.priority ?? 0))[0]

  return {
    templates,
    indices,
    open(name) {
      const known = indices.get(name)
      if (known !== undefined) return known
      const template = templateOf(name)?.template
      return add(name, template?.mappings ?? {}, template?.settings)
    },
    create: (name, mappings) => {
      const template = templateOf(name)?.template
      return add(
        name,
        Object.keys(mappings).length > 0 ? mappings : (template?.mappings ?? {}),
        template?.settings,
      )
    },
    matching(expression) {
      const found = new Map<string, Index>()
      let missing: string | undefined
      for (const part of expression.split(',')) {
        const exact = indices.get(part)
        if (exact !== undefined) found.set(part, exact)
        else if (!isPattern(part)) missing ??= part
        else {
          const pattern = wildcard(part === '_all' ? '*' : part)
          for (const index of indices.values()) if (pattern.test(index.name)) found.set(index.name, index)
        }
      }
      return { found: [...found.values()], ...(missing === undefined ? {} : { missing }) }
    },
  }
}

export const isPattern = (name: string): boolean => name.includes('*') || name === '_all'

function wildcard(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replaceAll('*', '.*')}$`)
}

/** A setting by its dotted name, written flat or nested, with or without `index.` in front. */
function setting(settings: unknown, name: string): string | undefined {
  for (const path of [name, `index.${name}`]) {
    const value = lookUp(settings, path.split('.'))
    if (value !== undefined) return typeof value === 'string' ? value : JSON.stringify(value)
  }
  return undefined
}

function lookUp(value: unknown, parts: readonly string[]): unknown {
  if (parts.length === 0) return value
  if (typeof value !== 'object' || value === null) return undefined
  for (let take = parts.length; take > 0; take--) {
    const inner = (value as Record<string, unknown>)[parts.slice(0, take).join('.')]
    const found = inner === undefined ? undefined : lookUp(inner, parts.slice(take))
    if (found !== undefined) return found
  }
  return undefined
}
