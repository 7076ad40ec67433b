// `millrace validate`: checks a configuration; also prints its JSON Schema, its option table and its effective values.
import { Command } from 'commander'
import { stringify } from 'yaml'
import { MillraceError } from '../protocol/errors.js'
import { effectiveConfig } from '../runtime/config/effective.js'
import { configJsonSchema } from '../runtime/config/json-schema.js'
import { loadConfig } from '../runtime/config/load.js'
import { optionTable } from '../runtime/config/option-table.js'
import { configOption, jsonOption } from './options.js'

interface ValidateOptions {
  readonly config: string
  readonly json?: boolean
  readonly schema?: boolean
  readonly options?: boolean
  readonly effective?: boolean
}

export function validateCommand(): Command {
  return new Command('validate')
    .description('Checks a configuration file. Exits 2 when it is not valid; all problems are told at once.')
    .addOption(configOption())
    .addOption(jsonOption())
    .option('--effective', 'print the configuration with defaults and environment filled in, secrets hidden')
    .option('--schema', 'print the JSON Schema for editors and exit')
    .option('--options', 'print the table of all options (Markdown) and exit')
    .action((options: ValidateOptions) => {
      if (options.schema === true) return print(JSON.stringify(configJsonSchema(), null, 2))
      if (options.options === true) return print(optionTable())
      if (options.json === true) return validateAsJson(options)
      const { config, warnings } = loadConfig(options.config)
      for (const warning of warnings) process.stderr.write(`millrace: warning: ${warning}\n`)
      if (options.effective === true) return print(stringify(effectiveConfig(config)).trimEnd())
      const sources = Object.keys(config.sources).join(', ')
      const backends = Object.keys(config.backends).join(', ')
      print(`${options.config} is valid: sources ${sources}; backends ${backends}`)
    })
}

function validateAsJson({ config: file, effective }: ValidateOptions): void {
  try {
    const { config, warnings } = loadConfig(file)
    const shown = effective === true ? { config: effectiveConfig(config) } : {}
    print(JSON.stringify({ file, valid: true, problems: [], warnings, ...shown }))
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    process.exitCode = 2
    print(
      JSON.stringify({
        file,
        valid: false,
        code: error.code,
        problems: error.message.split('\n'),
        warnings: [],
      }),
    )
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
