// Keeps secrets out of everything that is printed: decided by an option's kind or, for free keys, by its name.
import { configSchema } from '../../protocol/config/schema.js'
import { optionAt } from './schema-tree.js'

export const HIDDEN = '(hidden)'

const SECRET_NAME = /pass(?:word|wd|phrase)|secret|token|api_?key|credential|authorization|private_?key/i

/** Does a key hold a secret, by its name? The path of a file that holds one is none. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name) && !/_file$/i.test(name)
}

/** Is the value at this path of a configuration a secret? */
export function isSecretPath(path: readonly PropertyKey[], config: unknown): boolean {
  if (path.some((key) => isSecretName(String(key)))) return true
  return optionAt(configSchema, path, config)?.kind === 'secret'
}

/** Hides the password in a URL's user part; also in a text that only begins like a URL. */
export function redactUrl(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#\s]*@/i, `$1${HIDDEN}@`)
}

/** A copy to print: secrets by key name and passwords in URLs are hidden. */
export function redacted(value: unknown): unknown {
  if (typeof value === 'string') return redactUrl(value)
  if (Array.isArray(value)) return value.map(redacted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => {
      // `fields`, `labels` and `services` of the user may be called anything: a map is looked into, only texts are hidden.
      const hide = isSecretName(key) && (typeof part === 'string' || typeof part === 'number')
      return [key, hide ? HIDDEN : redacted(part)]
    }),
  )
}

/** A value as an error message shows it: short, quoted, a secret hidden. */
export function shown(path: readonly PropertyKey[], value: unknown, config: unknown): string {
  if (isSecretPath(path, config)) return HIDDEN
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object') return 'a map'
  // JSON has no infinity.
  if (typeof value !== 'string') return typeof value === 'number' ? String(value) : JSON.stringify(value)
  const text = redactUrl(value)
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text)
}
