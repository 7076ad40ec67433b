// A JSON parser that keeps raw text: every node knows where it lies. For cleaning and for the twin; it has no recursion.

export interface JsonNode {
  readonly kind: 'object' | 'array' | 'scalar'
  readonly start: number
  end: number
  /** The members of an object. */
  readonly members: JsonMember[]
  /** The items of an array. */
  readonly items: JsonNode[]
}

export interface JsonMember {
  /** Decoded. */
  readonly key: string
  /** Where the key's opening quote lies, and the end of the key. */
  readonly start: number
  readonly keyEnd: number
  readonly value: JsonNode
}

/** Containers nested deeper than this are no JSON for us. */
export const DEPTH_LIMIT = 10000

// oxlint-disable-next-line no-control-regex -- JSON forbids raw control characters
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const LITERAL = /true|false|null/y
const SPACE = /[ \t\n\r]*/y

function match(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : -1
}

function scalarEnd(text: string, at: number): number {
  const first = text[at] ?? ''
  if (first === '"') return match(STRING, text, at)
  return match(/[-0-9]/.test(first) ? NUMBER : LITERAL, text, at)
}

function decodeKey(raw: string): string {
  const key: unknown = JSON.parse(raw)
  return typeof key === 'string' ? key : raw
}

function node(kind: JsonNode['kind'], start: number): JsonNode {
  return { kind, start, end: start, members: [], items: [] }
}

interface Key {
  readonly start: number
  readonly keyEnd: number
  readonly valueAt: number
}

function readKey(text: string, at: number): Key | undefined {
  if (text[at] !== '"') return undefined
  const keyEnd = match(STRING, text, at)
  if (keyEnd < 0) return undefined
  const colon = match(SPACE, text, keyEnd)
  return text[colon] === ':' ? { start: at, keyEnd, valueAt: match(SPACE, text, colon + 1) } : undefined
}

/** Parses text that must be one JSON object (RFC 8259), with white space around it; undefined when it is not. */
export function parseObject(text: string): JsonNode | undefined {
  const root = node('object', match(SPACE, text, 0))
  if (text[root.start] !== '{') return undefined
  const stack = [root]
  let at = match(SPACE, text, root.start + 1)
  let first = true
  while (true) {
    const top = stack.at(-1)
    if (top === undefined) return match(SPACE, text, at) === text.length ? root : undefined
    if (text[at] === (top.kind === 'object' ? '}' : ']')) {
      top.end = at + 1
      stack.pop()
      at = stack.length === 0 ? at + 1 : match(SPACE, text, at + 1)
      first = false
      continue
    }
    if (!first) {
      if (text[at] !== ',') return undefined
      at = match(SPACE, text, at + 1)
    }
    const key = top.kind === 'object' ? readKey(text, at) : undefined
    if (top.kind === 'object' && key === undefined) return undefined
    const valueAt = key?.valueAt ?? at
    const opens = text[valueAt] === '{' || text[valueAt] === '['
    const value = node(opens ? (text[valueAt] === '{' ? 'object' : 'array') : 'scalar', valueAt)
    if (key === undefined) top.items.push(value)
    else top.members.push({ ...key, key: decodeKey(text.slice(key.start, key.keyEnd)), value })
    if (opens) {
      if (stack.length >= DEPTH_LIMIT) return undefined
      stack.push(value)
      at = match(SPACE, text, valueAt + 1)
      first = true
      continue
    }
    value.end = scalarEnd(text, valueAt)
    if (value.end < 0) return undefined
    at = match(SPACE, text, value.end)
    first = false
  }
}
