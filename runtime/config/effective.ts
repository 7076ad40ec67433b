// The configuration as it is in effect, for printing: defaults filled in, durations and sizes as text, secrets hidden.
import { configSchema, type Config } from '../../protocol/config/schema.js'
import { setAt } from './paths.js'
import { HIDDEN, redacted } from './redact.js'
import { walkValues } from './schema-tree.js'
import { valueText } from './value-text.js'

export function effectiveConfig(config: Config): unknown {
  const copy: unknown = structuredClone(config)
  walkValues(configSchema, structuredClone(copy), ({ kind }, value, path) => {
    if (kind === 'secret') setAt(copy, path, HIDDEN)
    if (kind === 'duration' || kind === 'size') setAt(copy, path, valueText(value, kind))
  })
  return redacted(copy)
}
