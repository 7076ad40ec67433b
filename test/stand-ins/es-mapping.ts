// Elasticsearch's mapping as the stand-in knows it: which documents it refuses for their shape, and why.
import type { JsonNode } from './strict-json.js'

export type Mapping = {
  readonly dynamic: 'true' | 'false' | 'strict' | 'runtime'
  readonly fields: Map<string, Field>
}

export type Field = {
  readonly type: string
  /** An alias's target. */
  readonly path?: string
  readonly ignoreAbove?: number
  readonly ignoreMalformed?: boolean
  /** Of an object. */
  readonly mapping?: Mapping
}

export type MappingSource = {
  readonly type?: string
  readonly dynamic?: boolean | string
  readonly path?: string
  readonly ignore_above?: number
  readonly ignore_malformed?: boolean | string
  readonly properties?: Readonly<Record<string, MappingSource>>
}

type Refusal = string | undefined

const metadataFields = new Set([
  ...['_id', '_source', '_index', '_routing', '_seq_no', '_version', '_field_names', '_ignored', '_tier'],
  ...['_nested_path', '_doc_count', '_data_stream_timestamp'],
])
const numeric = new Set([
  'long',
  'integer',
  'short',
  'byte',
  'double',
  'float',
  'half_float',
  'unsigned_long',
])

export function readMapping(
  source: MappingSource,
  ignoreMalformed: boolean,
  inherited: Mapping['dynamic'] = 'true',
): Mapping {
  const dynamic = source.dynamic === undefined ? inherited : (String(source.dynamic) as Mapping['dynamic'])
  const fields = new Map<string, Field>()
  for (const [name, property] of Object.entries(source.properties ?? {})) {
    const isObject = property.type === undefined || property.type === 'object' || property.type === 'nested'
    fields.set(name, {
      type: property.type ?? 'object',
      ...(property.path === undefined ? {} : { path: property.path }),
      ...(property.ignore_above === undefined ? {} : { ignoreAbove: property.ignore_above }),
      ignoreMalformed:
        property.ignore_malformed === undefined
          ? ignoreMalformed
          : String(property.ignore_malformed) === 'true',
      ...(isObject ? { mapping: readMapping(property, ignoreMalformed, dynamic) } : {}),
    })
  }
  return { dynamic, fields }
}

/** The reason why the document is refused. One that passes leaves its new fields in a dynamic mapping. */
export function admit(document: JsonNode, mapping: Mapping): Refusal {
  if (document.kind !== 'object') return 'Malformed content, must start with an object'
  const additions: (() => void)[] = []
  const refusal = admitObject(document, mapping, '', additions)
  if (refusal === undefined) for (const add of additions) add()
  return refusal
}

/** The field that a dotted path names, through objects and aliases; what lies inside a flattened field is that field. */
export function resolveField(mapping: Mapping, path: string): { path: string; field: Field } | undefined {
  let at = mapping
  const parts = path.split('.')
  for (const [index, part] of parts.entries()) {
    const field = at.fields.get(part)
    if (field === undefined) return undefined
    if (field.path !== undefined) return resolveField(mapping, field.path)
    const rest = parts.slice(index + 1)
    if (rest.length === 0 || field.type === 'flattened') return { path, field }
    if (field.mapping === undefined) {
      // Elasticsearch gives a dynamic string a sub-field for exact matches.
      return rest.join() === 'keyword'
        ? { path: parts.slice(0, -1).join('.'), field: { ...field, type: 'keyword' } }
        : undefined
    }
    at = field.mapping
  }
  return undefined
}

function admitObject(
  node: JsonNode & { kind: 'object' },
  mapping: Mapping,
  prefix: string,
  additions: (() => void)[],
): Refusal {
  for (const [key, value] of node.entries) {
    const refusal = badName(key, prefix === '') ?? admitEntry(key, value, mapping, prefix, additions)
    if (refusal !== undefined) return refusal
  }
  return undefined
}

function badName(key: string, atRoot: boolean): Refusal {
  if (key === '') return 'failed to parse: field name cannot be an empty string'
  if (key.trim() === '') return `Field name cannot contain only whitespace: [${key}]`
  if (/^\.+$/.test(key)) return 'failed to parse: field name cannot contain only dots'
  if (
    key
      .replace(/\.+$/, '')
      .split('.')
      .some((part) => part.trim() === '')
  ) {
    return `failed to parse: field name cannot contain only whitespace: ['${key}']`
  }
  return atRoot && metadataFields.has(key)
    ? `Field [${key}] is a metadata field and cannot be added inside a document. Use the index API request parameters.`
    : undefined
}

function admitEntry(
  key: string,
  value: JsonNode,
  mapping: Mapping,
  prefix: string,
  additions: (() => void)[],
): Refusal {
  const parts = key.replace(/\.+$/, '').split('.')
  let at = mapping
  for (const [index, part] of parts.entries()) {
    const path = `${prefix}${parts.slice(0, index + 1).join('.')}`
    const field = at.fields.get(part)
    const isLast = index === parts.length - 1
    if (field === undefined) return admitNew(parts.slice(index), value, at, path, additions)
    if (isLast) return admitValue(value, field, path, additions)
    if (field.type === 'flattened') return undefined
    if (field.mapping === undefined) return concreteRefusal(path, field)
    at = field.mapping
  }
  return undefined
}

/** An unmapped field: skipped with all inside it, refused, or learnt, as `dynamic` says. */
function admitNew(
  parts: string[],
  value: JsonNode,
  mapping: Mapping,
  path: string,
  additions: (() => void)[],
): Refusal {
  if (mapping.dynamic === 'strict')
    return `mapping set to strict, dynamic introduction of [${parts[0]}] is not allowed`
  const [name = '', ...rest] = parts
  const sample = value.kind === 'array' ? value.items.find((item) => item.kind !== 'null') : value
  if (mapping.dynamic !== 'true' || sample === undefined || sample.kind === 'null') return undefined
  if (rest.length === 0 && sample.kind !== 'object') {
    additions.push(() => mapping.fields.set(name, { type: dynamicType(sample), ignoreAbove: 256 }))
    return undefined
  }
  const inner: Mapping = { dynamic: mapping.dynamic, fields: new Map() }
  additions.push(() => {
    if (!mapping.fields.has(name)) mapping.fields.set(name, { type: 'object', mapping: inner })
  })
  const innerPath = `${path}.`
  if (rest.length > 0) return admitEntry(rest.join('.'), value, inner, innerPath, additions)
  return admitValue(value, { type: 'object', mapping: inner }, path, additions)
}

function dynamicType(sample: JsonNode): string {
  if (sample.kind === 'number') return /[.eE]/.test(sample.value) ? 'float' : 'long'
  if (sample.kind === 'boolean') return 'boolean'
  return sample.kind === 'string' && isDate(sample.value) ? 'date' : 'text'
}

function admitValue(value: JsonNode, field: Field, path: string, additions: (() => void)[]): Refusal {
  if (field.path !== undefined) return `Cannot write to a field alias [${path}].`
  if (value.kind === 'null') return undefined
  if (value.kind === 'array') {
    for (const item of value.items) {
      const refusal = admitValue(item, field, path, additions)
      if (refusal !== undefined) return refusal
    }
    return undefined
  }
  if (value.kind === 'object') {
    if (field.mapping !== undefined) return admitObject(value, field.mapping, `${path}.`, additions)
    return field.type === 'flattened' ? undefined : concreteRefusal(path, field)
  }
  if (field.mapping !== undefined) {
    return `object mapping for [${path}] tried to parse field [${path}] as object, but found a concrete value`
  }
  return isWellFormed(value.value, field)
    ? undefined
    : `failed to parse field [${path}] of type [${field.type}]`
}

const concreteRefusal = (path: string, field: Field): string =>
  `failed to parse field [${path}] of type [${field.type}]: found START_OBJECT`

function isWellFormed(value: string, field: Field): boolean {
  if (field.type === 'flattened') return false
  if (field.type === 'keyword') return field.ignoreAbove !== undefined || Buffer.byteLength(value) <= 32_766
  if (field.ignoreMalformed === true) return true
  if (numeric.has(field.type)) return value.trim() !== '' && Number.isFinite(Number(value))
  if (field.type === 'boolean') return ['true', 'false', ''].includes(value)
  return field.type !== 'date' || isDate(value) || /^-?\d+$/.test(value)
}

const isDate = (value: string): boolean =>
  /^\d{4}-\d\d-\d\d(T\d\d(:\d\d(:\d\d([.,]\d{1,9})?)?)?(Z|[+-]\d\d:?\d\d)?)?$/.test(value)
