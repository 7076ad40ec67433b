// Parses the text of a configuration file: strict YAML 1.2 whose every value remembers its line and column.
import {
  Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
} from 'yaml'
import { maskVariables, unmaskVariables } from './mask.js'
import type { Problem } from './problems.js'

export interface YamlText {
  readonly document: Document
  readonly problems: readonly Problem[]
  /** The node at a path (an alias' target for values beneath it), or undefined. */
  nodeAt(path: readonly PropertyKey[]): Node | undefined
  /** Place of a path: its key, else its value, else the nearest parent that is there. 1-based. */
  placeOf(path: readonly PropertyKey[]): { readonly line: number; readonly column: number }
  placeOfNode(node: Node): { readonly line: number; readonly column: number }
}

/** `${VAR}` may stand anywhere, inside `{ … }` too; it is still unresolved in the document's scalars. */
export function parseYaml(text: string): YamlText {
  const counter = new LineCounter()
  const masked = maskVariables(text)
  const all = parseAllDocuments(masked, {
    version: '1.2',
    schema: 'core',
    strict: true,
    uniqueKeys: true,
    stringKeys: true,
    merge: false,
    resolveKnownTags: false,
    lineCounter: counter,
    prettyErrors: false,
    logLevel: 'error',
  })
  const documents = Array.isArray(all) ? (all as Document.Parsed[]) : []
  const document = documents[0] as Document | undefined
  function place(offset: number): { line: number; column: number } {
    const { line, col } = counter.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  const problem = (message: string, offset: number): Problem => ({
    code: 'config.yaml',
    ...place(offset),
    message,
  })
  const problems = documents.flatMap(({ errors, warnings }) =>
    [...errors, ...warnings].map((error) =>
      problem(wording(error.code, unmaskVariables(error.message)), error.pos[0]),
    ),
  )
  const second = documents[1]
  if (second !== undefined)
    problems.push(problem('a second document begins here; keep one in a file', second.range[0]))
  const placeOfNode = (node: Node) => place(node.range?.[0] ?? 0)
  // Nothing but comments is an empty file, not an empty map.
  const found = document ?? new Document(null)
  return {
    document: found,
    problems,
    nodeAt: (path) => walk(found, path).node,
    placeOfNode,
    placeOf: (path) => place(walk(found, path).offset),
  }
}

function wording(code: string, message: string): string {
  if (code === 'DUPLICATE_KEY') return 'this key is there twice; remove one'
  if (code === 'TAG_RESOLVE_FAILED')
    return `${firstLine(message)}; tags such as !name are not supported, remove it`
  if (code === 'TAB_AS_INDENT') return 'a tab indents this line; indent with spaces'
  return `not valid YAML: ${firstLine(message)}`
}

const firstLine = (message: string) => message.split('\n')[0] as string

/** Follows a path as far as it goes; `node` is only set when it goes to the end. */
function walk(document: Document, path: readonly PropertyKey[]): { node: Node | undefined; offset: number } {
  let node: Node | undefined = document.contents ?? undefined
  let offset = node?.range?.[0] ?? 0
  for (const key of path) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === key)
      if (pair === undefined) return { node: undefined, offset }
      offset = (pair.key as Node).range?.[0] ?? offset
      node = pair.value as Node | undefined
    } else if (isSeq(node)) {
      node = node.items[Number(key)] as Node | undefined
      offset = node?.range?.[0] ?? offset
    } else return { node: undefined, offset }
  }
  return { node, offset }
}
