// A JSON reader that, like Elasticsearch, refuses a duplicate key; it keeps keys in order and marks objects from scalars.

export type JsonNode =
  | { readonly kind: 'object'; readonly entries: readonly (readonly [string, JsonNode])[] }
  | { readonly kind: 'array'; readonly items: readonly JsonNode[] }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'number'; readonly value: string }
  | { readonly kind: 'boolean' | 'null'; readonly value: string }

const depthMax = 1000
const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const literalPattern = /true|false|null/y
const stringPattern = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const spacePattern = /[ \t\n\r]*/y

/** Throws an Error whose message is the reason. */
export function parseStrict(text: string): JsonNode {
  let at = 0
  const fail = (what: string): never => {
    throw new Error(`${what} at column ${at + 1}`)
  }
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    const found = pattern.exec(text)?.[0]
    if (found !== undefined) at += found.length
    return found
  }
  /** Skips white space and takes the character if it is next. */
  const take = (character: string): boolean => {
    match(spacePattern)
    if (text[at] !== character) return false
    at++
    return true
  }
  const string = (): string => {
    match(spacePattern)
    const quoted = match(stringPattern) ?? fail('Unexpected character')
    return quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1)
  }
  const object = (depth: number): JsonNode => {
    const entries: (readonly [string, JsonNode])[] = []
    const seen = new Set<string>()
    if (take('}')) return { kind: 'object', entries }
    do {
      const key = string()
      if (seen.has(key)) fail(`Duplicate field '${key}'`)
      seen.add(key)
      if (!take(':')) fail('Unexpected character')
      entries.push([key, value(depth)])
    } while (take(','))
    return take('}') ? { kind: 'object', entries } : fail('Unexpected end of object')
  }
  const array = (depth: number): JsonNode => {
    const items: JsonNode[] = []
    if (take(']')) return { kind: 'array', items }
    do items.push(value(depth))
    while (take(','))
    return take(']') ? { kind: 'array', items } : fail('Unexpected end of array')
  }
  const value = (depth: number): JsonNode => {
    if (depth >= depthMax) fail(`Document nesting depth exceeds the maximum allowed (${depthMax})`)
    if (take('{')) return object(depth + 1)
    if (take('[')) return array(depth + 1)
    if (text[at] === '"') return { kind: 'string', value: string() }
    const literal = match(literalPattern)
    if (literal !== undefined) return { kind: literal === 'null' ? 'null' : 'boolean', value: literal }
    return { kind: 'number', value: match(numberPattern) ?? fail('Unrecognized token') }
  }
  const root = value(0)
  match(spacePattern)
  return at === text.length ? root : fail('Unexpected content after the value')
}
