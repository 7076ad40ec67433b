// Reads a section of a configuration that does not come from the file, as YAML or JSON: bounded, and a map.
import { MillraceError, saidOf } from '../../protocol/errors.js'
import { parseYaml } from './yaml-text.js'

/** What shared memory and the bucket can hold. */
export const SECTION_BYTES_MAX = 192 * 1024
const ALIASES_MAX = 100

/** `text` is YAML (JSON is). Throws `config.*`. */
export function parseSection(text: string): unknown {
  demandSmall(text)
  const yaml = parseYaml(text)
  const [first] = yaml.problems
  if (first !== undefined)
    throw new MillraceError('config.yaml', `sampling: line ${first.line}: ${first.message}`)
  return demandMap(yaml.document.toJS({ maxAliasCount: ALIASES_MAX }) as unknown)
}

/** What a program has written as JSON: a hundredth of the time that reading it as YAML takes, with the hot path waiting for it. Throws as above. */
export function parseJsonSection(json: string): unknown {
  demandSmall(json)
  try {
    return demandMap(JSON.parse(json) as unknown)
  } catch (error) {
    if (error instanceof MillraceError) throw error
    const text = `sampling: not valid JSON (${saidOf(error)})`
    throw new MillraceError('config.json', text, { cause: error })
  }
}

function demandSmall(text: string): void {
  const bytes = Buffer.byteLength(text)
  if (bytes <= SECTION_BYTES_MAX) return
  throw new MillraceError(
    'config.too_large',
    `sampling: has ${bytes} bytes, expected at most ${SECTION_BYTES_MAX}`,
  )
}

function demandMap(value: unknown): unknown {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new MillraceError('config.invalid_value', 'sampling: expected a map, such as { tiers: { warn: 1 } }')
}
