// `millrace simulate`: what a configuration would keep of recorded logs, beside what the current one keeps, and what it costs.
import { existsSync } from 'node:fs'
import path from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { parseDurationMs } from '../protocol/config/units.js'
import { loadConfig } from '../runtime/config/load.js'
import { CONFIG_FILE, configOption, jsonOption, positiveNumber } from './options.js'
import { runSimulation, type Side } from './simulate/run.js'
import { simulationJson, simulationText } from './simulate/output.js'

interface SimulateOptions {
  readonly config: string
  readonly current?: string | false
  readonly from: readonly string[]
  readonly source?: string
  readonly span?: number
  readonly rows: number
  readonly json?: boolean
}

const ROWS = 50

export function simulateCommand(): Command {
  return new Command('simulate')
    .description(
      'Runs recorded lines through the sampling of a configuration, at the pace of their own times. Changes nothing, sends nothing.',
    )
    .addOption(configOption())
    .option(
      '--current <file>',
      `the configuration to compare with; default: ${CONFIG_FILE}, where -c names another`,
    )
    .option('--no-current', 'compare with none')
    .addOption(
      new Option(
        '--from <what...>',
        'files, globs or folders of logs (also gzip), - for standard input, `archive` for what the archive backend holds',
      ).makeOptionMandatory(),
    )
    .option('--source <name>', 'the source that describes files which no source names')
    .addOption(
      new Option(
        '--span <duration>',
        'how long the input took; default: from its first time to its last',
      ).argParser(duration),
    )
    .addOption(new Option('--rows <n>', 'rows shown').default(ROWS).argParser(positiveNumber))
    .addOption(jsonOption())
    .action(async (options: SimulateOptions) => {
      const result = await runSimulation({ sides: sidesOf(options), ...options })
      const text =
        options.json === true ? JSON.stringify(simulationJson(result)) : simulationText(result, options.rows)
      process.stdout.write(`${text}\n`)
      if (result.broken) process.exitCode = 1
    })
}

function sidesOf({ config, current }: SimulateOptions): Side[] {
  const other = currentOf(config, current)
  const fresh: Side = { name: 'new', file: config, config: loadConfig(config).config }
  if (other === undefined) return [fresh]
  return [{ name: 'current', file: other, config: loadConfig(other).config }, fresh]
}

function currentOf(config: string, current: string | false | undefined): string | undefined {
  if (current === false) return undefined
  if (current !== undefined) return current
  return path.resolve(config) !== path.resolve(CONFIG_FILE) && existsSync(CONFIG_FILE)
    ? CONFIG_FILE
    : undefined
}

function duration(text: string): number {
  const ms = parseDurationMs(text)
  if (ms !== undefined && ms > 0) return ms
  throw new InvalidArgumentError('expected a duration such as 10m, 1h or 1d.')
}
