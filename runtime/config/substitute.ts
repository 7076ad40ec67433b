// Puts environment variables into a parsed configuration: `${VAR}`, `${VAR:-default}`, and `$${` for a literal `${`.
import { type Document, isScalar, type Node, Scalar, visit } from 'yaml'
import { unmaskVariables } from './mask.js'
import { isSecretName } from './redact.js'

export type Environment = Readonly<Record<string, string | undefined>>

export interface Substitution {
  /** Scalars that were one whole `${…}`: what they became as text, for an option that wants text. */
  readonly texts: ReadonlyMap<Node, string>
  /** All scalars that hold something from the environment. */
  readonly touched: ReadonlySet<Node>
  /** Those whose variable has the name of a secret. */
  readonly secret: ReadonlySet<Node>
  readonly missing: readonly { readonly node: Scalar; readonly message: string }[]
}

const VARIABLE = /(\$?)\$\{([^}\n]*)\}/g
const CONTENT = /^([A-Za-z_][A-Za-z0-9_]*)(?::-((?:(?!\$\{).)*))?$/

/** Works on the scalars after parsing: a value from the environment can't add keys, lists or comments. */
export function substitute(document: Document, env: Environment): Substitution {
  const texts = new Map<Node, string>()
  const touched = new Set<Node>()
  const secret = new Set<Node>()
  const missing: { node: Scalar; message: string }[] = []
  visit(document, {
    Scalar(key, node) {
      if (typeof node.value !== 'string') return
      const before = unmaskVariables(node.value)
      if (key === 'key') return void (node.value = before)
      let found = false
      const after = before.replace(VARIABLE, (whole, escaped: string, content: string) => {
        if (escaped !== '') return whole.slice(1)
        found = true
        if (isSecretName(content.split(':-')[0] as string)) secret.add(node)
        const value = lookUp(content, env)
        if (typeof value === 'string') return value
        missing.push({ node, message: value.problem })
        return ''
      })
      node.value = after
      if (!found) return
      touched.add(node)
      if (node.type === Scalar.PLAIN && isWhole(before)) {
        texts.set(node, after)
        node.value = typed(after)
      }
    },
  })
  return { texts, touched, secret, missing }
}

/** Is it one `${…}` and nothing else? */
function isWhole(text: string): boolean {
  return /^\$\{[^}\n]*\}$/.test(text)
}

function lookUp(content: string, env: Environment): string | { readonly problem: string } {
  const match = CONTENT.exec(content)
  if (match === null) {
    return {
      problem: `\${${content}} does not name an environment variable (they do not nest); write \${NAME}, \${NAME:-default}, or $\${ for a literal \${`,
    }
  }
  const [, name = '', fallback] = match
  const value = env[name]
  // As in a shell, `:-` also stands in for a variable that is set but empty.
  if (fallback !== undefined) return value === undefined || value === '' ? fallback : value
  if (value !== undefined) return value
  return { problem: `the environment variable ${name} is not set; set it, or write \${${name}:-default}` }
}

/** The core schema of YAML 1.2 for a plain scalar (https://yaml.org/spec/1.2.2/#103-core-schema). */
function typed(text: string): string | number | boolean | null {
  if (/^(?:~|null|Null|NULL)?$/.test(text)) return null
  if (/^(?:true|True|TRUE)$/.test(text)) return true
  if (/^(?:false|False|FALSE)$/.test(text)) return false
  if (/^[-+]?\d+$/.test(text) || /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(text))
    return Number(text)
  if (/^0o[0-7]+$/.test(text) || /^0x[0-9a-fA-F]+$/.test(text)) return Number(text)
  return text
}

/** Is this value still to be replaced because its variable is missing? */
export function isMissing(substitution: Substitution, node: Node | undefined): boolean {
  return isScalar(node) && substitution.missing.some((entry) => entry.node === node)
}
