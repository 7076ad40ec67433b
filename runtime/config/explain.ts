// Turns a schema's complaint into a sentence: what was found, what was expected, and the way out.
import { closest } from 'fastest-levenshtein'
import type { $ZodIssue, $ZodType } from 'zod/v4/core'
import { pathText } from './problems.js'
import { HIDDEN, shown } from './redact.js'
import { allowedKeys, optionAt, variants } from './schema-tree.js'
import { valueText } from './value-text.js'

/** One sentence about one path. */
export interface Explanation {
  readonly code: `config.${string}`
  readonly path: readonly PropertyKey[]
  readonly message: string
}

/** `config` is the parsed file that `root` refused; a value is not shown where `hidden` says so. */
export function explain(
  root: $ZodType,
  issue: $ZodIssue,
  config: unknown,
  hidden: (path: readonly PropertyKey[]) => boolean = () => false,
): Explanation[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => unknownKey(root, issue.path, key, config))
  const { path } = issue
  const value = valueAt(config, path)
  const expected = expectation(root, issue)
  const got = found(path, value, issue, hidden(path) ? HIDDEN : shown(path, value, config))
  const out = wayOut(root, issue, value, config)
  const code = value === undefined ? 'config.missing' : 'config.invalid_value'
  return [
    {
      code,
      path,
      message: `${pathText(path) || 'the file'}: ${got}, expected ${expected}${out === '' ? '' : `; ${out}`}`,
    },
  ]
}

function found(path: readonly PropertyKey[], value: unknown, issue: $ZodIssue, text: string): string {
  if (value === undefined) return 'missing'
  if (value === null) return 'got an empty value'
  return issue.code === 'invalid_key' ? `got the name ${JSON.stringify(path.at(-1))}` : `got ${text}`
}

function unknownKey(
  root: $ZodType,
  parent: readonly PropertyKey[],
  key: string,
  config: unknown,
): Explanation {
  const path = [...parent, key]
  const allowed = allowedKeys(root, parent, config) ?? []
  const nearest = allowed.length === 0 ? '' : `did you mean ${closest(key.toLowerCase(), allowed)}? `
  const where = parent.length === 0 ? 'at the top' : `in ${pathText(parent)}`
  const message = `${pathText(path)}: unknown key; ${nearest}allowed ${where}: ${allowed.join(', ')}`
  return { code: 'config.unknown_key', path, message }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
}

function expectation(root: $ZodType, issue: $ZodIssue): string {
  // Our own messages (values.ts) already say it; zod's begin with "Invalid" or "Too".
  if (issue.message.startsWith('expected ')) return issue.message.slice('expected '.length)
  switch (issue.code) {
    case 'invalid_type':
      return TYPE_NAMES[issue.expected] ?? issue.expected
    case 'invalid_value':
      return `one of ${issue.values.map(String).join(', ')}`
    case 'too_small':
      return `at least ${amount(issue.minimum, issue.origin)}`
    case 'too_big':
      return `at most ${amount(issue.maximum, issue.origin)}`
    case 'invalid_key':
      return issue.issues[0]?.message.replace(/^expected /, '') ?? 'another name'
    case 'invalid_union':
      return `one of ${typesAt(root, issue.path).join(', ')}`
    default:
      return issue.message
  }
}

function amount(limit: number | bigint, origin: string): string {
  if (origin === 'array') return `${limit} ${limit === 1 ? 'entry' : 'entries'}`
  return origin === 'string' ? `${limit} characters` : String(limit)
}

function typesAt(root: $ZodType, path: readonly PropertyKey[]): string[] {
  const parent = path.slice(0, -1)
  // Without a value no variant is picked: the option is the union itself.
  const schema = optionAt(root, parent, undefined)?.schema
  return schema === undefined ? [] : [...(variants(schema)?.keys() ?? [])]
}

function wayOut(root: $ZodType, issue: $ZodIssue, value: unknown, config: unknown): string {
  const { path } = issue
  const key = String(path.at(-1) ?? '')
  if (key === 'type')
    return value === undefined
      ? `add ${key}: ${typesAt(root, path)[0] ?? ''}`
      : nearestOf(JSON.stringify(value), typesAt(root, path))
  const option = optionAt(root, path, config)
  if (option === undefined) return ''
  if (value === undefined) return `add ${key}`
  if (issue.code === 'invalid_key') return 'rename it'
  const { def } = option.schema._zod
  if (def.type === 'string' && (typeof value === 'number' || typeof value === 'boolean'))
    return 'put it in quotes'
  if (def.type === 'array' && typeof value === 'string')
    return `write [${JSON.stringify(value).slice(1, -1)}]`
  if (def.type === 'enum' && typeof value === 'string')
    return nearestOf(value, Object.values(def.entries).map(String))
  if (!option.optional) return ''
  const fallback = option.fallback === undefined ? '' : valueText(option.fallback, option.kind)
  return fallback === '' || fallback === '{}' ? 'or leave it out' : `or leave it out for ${fallback}`
}

function nearestOf(value: string, allowed: readonly string[]): string {
  return allowed.length === 0 ? '' : `did you mean ${closest(value, allowed)}?`
}

export function valueAt(config: unknown, path: readonly PropertyKey[]): unknown {
  let at = config
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined
    at = (at as Record<PropertyKey, unknown>)[key]
  }
  return at
}
