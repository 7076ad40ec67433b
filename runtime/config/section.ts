// Reads a section of a configuration that does not come from the file, as YAML or JSON: bounded, and a map.
import { MillraceError } from '../../protocol/errors.js'
import { parseYaml } from './yaml-text.js'

/** What shared memory and the bucket can hold. */
export const SECTION_BYTES_MAX = 192 * 1024
const ALIASES_MAX = 100

/** `text` is YAML (JSON is). Throws `config.*`. */
export function parseSection(text: string): unknown {
  if (Buffer.byteLength(text) > SECTION_BYTES_MAX) {
    const problem = `sampling: has ${Buffer.byteLength(text)} bytes, expected at most ${SECTION_BYTES_MAX}`
    throw new MillraceError('config.too_large', problem)
  }
  const yaml = parseYaml(text)
  const [first] = yaml.problems
  if (first !== undefined)
    throw new MillraceError('config.yaml', `sampling: line ${first.line}: ${first.message}`)
  const value = yaml.document.toJS({ maxAliasCount: ALIASES_MAX }) as unknown
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new MillraceError('config.invalid_value', 'sampling: expected a map, such as { tiers: { warn: 1 } }')
}
