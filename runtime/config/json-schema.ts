// The JSON Schema of the configuration file, for editors; made from the same declaration that checks the file.
import { z } from 'zod'
import { configSchema } from '../../protocol/config/schema.js'
import { unwrap } from './schema-tree.js'
import { valueText } from './value-text.js'

type Json = z.core.JSONSchema.BaseSchema

const VARIABLE = '\\$\\{.*\\}'
const MEASURES: Readonly<Record<string, string>> = {
  duration: `^(\\d+(\\.\\d+)?\\s*(ms|s|m|h|d)|${VARIABLE})$`,
  size: `^(\\d+(\\.\\d+)?\\s*([KkMmGg][Ii]?)?[Bb]|${VARIABLE})$`,
}

/** Draft 7, which the YAML language servers of editors read. */
export function configJsonSchema(): Json {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    target: 'draft-7',
    unrepresentable: 'any',
    override: adapt,
  })
  return { ...schema, title: 'millrace.yaml' }
}

/** Variables are allowed where a number or a choice is wanted; durations and sizes are shown as people write them. */
function adapt({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: Json }): void {
  const { type } = zodSchema._zod.def
  const { kind, fallback } = unwrap(zodSchema)
  const pattern = MEASURES[kind ?? '']
  if (pattern !== undefined && type === 'default') {
    const { description } = jsonSchema
    replace(jsonSchema, {
      anyOf: [
        { type: 'string', pattern },
        { type: 'number', minimum: 0 },
      ],
    })
    if (description !== undefined) jsonSchema.description = description
    jsonSchema.default = valueText(fallback, kind)
  } else if (type === 'number' || type === 'boolean' || type === 'enum') {
    replace(jsonSchema, { anyOf: [{ ...jsonSchema }, { type: 'string', pattern: `^${VARIABLE}$` }] })
  }
}

function replace(target: Json, by: Json): void {
  for (const key of Object.keys(target)) delete (target as Record<string, unknown>)[key]
  Object.assign(target, by)
}
