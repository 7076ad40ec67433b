// The table of all options for the README, made from the schema: a section for each part of the file.
import type { $ZodType } from 'zod/v4/core'
import { configSchema } from '../../protocol/config/schema.js'
import { hasNoEffect } from './no-effect.js'
import { childSchema, unwrap, variants, type Option } from './schema-tree.js'
import { valueText } from './value-text.js'

interface Row {
  readonly path: string
  readonly type: string
  readonly fallback: string
  readonly meaning: string
}

/** Markdown without a trailing line break. */
export function optionTable(): string {
  const def = configSchema._zod.def
  return Object.entries(def.shape)
    .flatMap(([name, schema]) => sections(name, schema))
    .map(({ title, rows }) =>
      [
        `### ${title}`,
        '',
        '| option | type | default | meaning |',
        '|---|---|---|---|',
        ...rows.map(line),
      ].join('\n'),
    )
    .join('\n\n')
}

interface Section {
  readonly title: string
  readonly rows: readonly Row[]
}

/** A part of named things (`sources`, `backends`) has a section for each type, and one for what all types share. */
function sections(name: string, schema: $ZodType): Section[] {
  const element = childSchema(schema, '<name>', undefined)
  const types = element === undefined ? undefined : variants(element)
  if (types === undefined)
    return [{ title: `\`${name}\``, rows: rowsOf(schema, name) }, ...choices(schema, name)]
  const tables = [...types].map(([type, variant]) => ({
    type,
    rows: rowsOf(variant, '').filter(({ path }) => path !== 'type'),
  }))
  const shared = (tables[0]?.rows ?? []).filter((row) =>
    tables.every(({ rows }) => rows.some((other) => line(other) === line(row))),
  )
  const isShared = (row: Row) => shared.some(({ path }) => path === row.path)
  const own = tables.map(({ type, rows }) => ({
    title: `\`${name}.<name>\` with \`type: ${type}\``,
    rows: rows.filter((row) => !isShared(row)),
  }))
  return shared.length === 0 ? own : [...own, { title: `\`${name}.<name>\` of every type`, rows: shared }]
}

/** An option that is one of several types has a section for each of them. */
function choices(schema: $ZodType, name: string): Section[] {
  const { def } = unwrap(schema).schema._zod
  if (def.type !== 'object') return []
  return Object.entries(def.shape).flatMap(([key, child]) =>
    [...(variants(child) ?? [])].map(([type, variant]) => ({
      title: `\`${name}.${key}\` with \`type: ${type}\``,
      rows: rowsOf(variant, '').filter(({ path }) => path !== 'type'),
    })),
  )
}

function rowsOf(schema: $ZodType, prefix: string): Row[] {
  const option = unwrap(schema)
  const { def } = option.schema._zod
  const under = (key: string) => (prefix === '' ? key : `${prefix}.${key}`)
  if (def.type === 'object') {
    const rows = Object.entries(def.shape).flatMap(([key, child]) => rowsOf(child, under(key)))
    return option.description === undefined || prefix === ''
      ? rows
      : [row(option, prefix, 'map', ''), ...rows]
  }
  if (def.type !== 'array') return [row(option, prefix, typeText(option), fallbackText(option))]
  const element = unwrap(def.element)
  const rows = element.schema._zod.def.type === 'object' ? rowsOf(def.element, `${prefix}[]`) : []
  return [row(option, prefix, typeText(option), fallbackText(option)), ...rows]
}

function row(option: Option, path: string, type: string, fallback: string): Row {
  const idle = hasNoEffect(path.replaceAll('[]', '').split('.')) ? ' (no effect in this version)' : ''
  return { path, type, fallback, meaning: `${option.description ?? ''}${idle}` }
}

function typeText({ schema, kind }: Option): string {
  if (kind === 'comma_list') return 'list, or text with commas'
  if (kind === 'listen') return 'host:port'
  if (kind !== undefined) return kind
  const { def } = schema._zod
  switch (def.type) {
    case 'string':
      return 'format' in def && def.format === 'url' ? 'URL' : 'text'
    case 'boolean':
      return '`true` or `false`'
    case 'enum':
      return Object.values(def.entries)
        .map((value) => `\`${value}\``)
        .join(', ')
    case 'array':
      return `list of ${plural(typeText(unwrap(def.element)))}`
    case 'record':
      return `map of ${plural(typeText(unwrap(def.valueType)))}`
    case 'object':
      return 'map'
    case 'union':
      return 'discriminator' in def ? 'map' : 'any'
    case 'number':
      return 'number'
    default:
      return 'any'
  }
}

function plural(type: string): string {
  if (type.startsWith('`')) return type
  return type === 'any'
    ? 'anything'
    : type.startsWith('list of')
      ? `lists of${type.slice('list of'.length)}`
      : `${type}s`
}

function fallbackText({ optional, fallback, kind }: Option): string {
  if (!optional) return 'required'
  if (fallback === undefined) return ''
  const text = valueText(fallback, kind)
  return text === '{}' || text === '[]' || text === '' ? '' : `\`${text}\``
}

function line({ path, type, fallback, meaning }: Row): string {
  const cells = [`\`${path}\``, type, fallback, meaning].map((cell) => cell.replaceAll('|', '\\|'))
  return `| ${cells.join(' | ')} |`
}
