// Reads the zod declaration as a tree of options: what stands at a path, which keys it allows, its default and description.
import { globalRegistry, type $ZodType, type $ZodTypes } from 'zod/v4/core'
import { valueKinds, type ValueKind } from '../../protocol/config/values.js'

/** A schema without its wrappers (default, optional, …), and what the wrappers said. */
export interface Option {
  readonly schema: $ZodTypes
  readonly kind: ValueKind | undefined
  readonly description: string | undefined
  readonly optional: boolean
  /** The value in code when the key is left out; undefined = there is none. */
  readonly fallback: unknown
}

/** Takes the wrappers off, keeping the outermost description and default. */
export function unwrap(wrapped: $ZodType): Option {
  let schema = wrapped as $ZodTypes
  let kind: ValueKind | undefined
  let description: string | undefined
  let optional = false
  let fallback: unknown
  for (;;) {
    kind ??= valueKinds.get(schema as never)?.kind
    description ??= globalRegistry.get(schema)?.description
    const def = schema._zod.def
    if (def.type === 'default' || def.type === 'prefault') fallback ??= def.defaultValue
    if (def.type === 'default' || def.type === 'prefault' || def.type === 'optional') optional = true
    else if (def.type !== 'pipe') return { schema, kind, description, optional, fallback }
    schema = (def.type === 'pipe' ? def.in : def.innerType) as $ZodTypes
  }
}

/** The schema of one key or element of a value; `value` picks the variant where `type` decides. */
export function childSchema(parent: $ZodType, key: PropertyKey, value: unknown): $ZodType | undefined {
  const { schema } = unwrap(variant(parent, value))
  const { def } = schema._zod
  if (def.type === 'object') return Object.hasOwn(def.shape, key) ? def.shape[String(key)] : undefined
  if (def.type === 'record') return def.valueType
  if (def.type === 'array') return def.element
  return undefined
}

/** The option at a path of the configuration, undefined where the declaration has none. */
export function optionAt(root: $ZodType, path: readonly PropertyKey[], value: unknown): Option | undefined {
  let schema: $ZodType | undefined = root
  let at = value
  for (const key of path) {
    schema = childSchema(schema, key, at)
    if (schema === undefined) return undefined
    at = typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined
  }
  return unwrap(variant(schema, at))
}

/** The keys an object may have, in the order of their declaration; undefined when it is no object. */
export function allowedKeys(
  root: $ZodType,
  path: readonly PropertyKey[],
  value: unknown,
): string[] | undefined {
  const def = optionAt(root, path, value)?.schema._zod.def
  return def?.type === 'object' ? Object.keys(def.shape) : undefined
}

/** The variants of a union that `type` discriminates, by that type; undefined for every other schema. */
export function variants(wrapped: $ZodType): ReadonlyMap<string, $ZodType> | undefined {
  const def = unwrap(wrapped).schema._zod.def
  if (def.type !== 'union' || !('discriminator' in def)) return undefined
  return new Map(def.options.map((option) => [typeOf(option), option]))
}

function typeOf(option: $ZodType): string {
  const type = childSchema(option, 'type', undefined)
  const def = type === undefined ? undefined : unwrap(type).schema._zod.def
  return def?.type === 'literal' ? String(def.values[0]) : ''
}

function variant(wrapped: $ZodType, value: unknown): $ZodType {
  const type = typeof value === 'object' && value !== null && 'type' in value ? String(value.type) : ''
  return variants(wrapped)?.get(type) ?? wrapped
}

/** Calls `visit` with every declared value of a configuration, depth first. A record's keys and a list's numbers are in the path. */
export function walkValues(
  schema: $ZodType,
  value: unknown,
  visit: (option: Option, value: unknown, path: readonly PropertyKey[]) => void,
  path: readonly PropertyKey[] = [],
): void {
  visit(unwrap(variant(schema, value)), value, path)
  if (typeof value !== 'object' || value === null) return
  for (const [key, part] of Object.entries(value)) {
    const child = childSchema(schema, key, value)
    if (child !== undefined)
      walkValues(child, part, visit, [...path, Array.isArray(value) ? Number(key) : key])
  }
}
