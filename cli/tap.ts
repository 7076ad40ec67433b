// `millrace tap`: prints the records that a running node keeps, as they pass.
import { Command } from 'commander'
import { compileFilter } from '../protocol/filter.js'
import { onInterrupt } from './interrupt.js'
import { linesOf } from './lines.js'
import { nodeAddress, open } from './node-client.js'
import { addressOption, configOption, jsonOption, positiveNumber } from './options.js'
import { MillraceError } from '../protocol/errors.js'
import { recordText } from './record-text.js'

interface TapOptions {
  readonly config: string
  readonly address?: string
  readonly filter: string
  readonly limit?: number
  readonly rate: number
  readonly json?: boolean
}

export function tapCommand(): Command {
  return new Command('tap')
    .description(
      'Prints the records that a running node keeps, as they pass.\n\n' +
        'A filter is terms separated by spaces that must all hold: key=value, key!=value, key~regex, key!~regex,\n' +
        'level>=WARN, duration_ms>250, and bare words that the record contains. Values with spaces stand in "quotes".',
    )
    .addOption(configOption())
    .addOption(addressOption())
    .addOption(jsonOption().default(false, 'text'))
    .option('-f, --filter <filter>', 'which records', '')
    .option('-n, --limit <records>', 'end after so many records', positiveNumber)
    .option('--rate <records>', 'at most so many records per second', positiveNumber, 1000)
    .action(async (options: TapOptions) => {
      compileFilter(options.filter)
      const address = nodeAddress(options)
      const stop = onInterrupt()
      try {
        await print(address, options, stop.signal)
      } finally {
        stop.end()
      }
    })
}

async function print(address: string, options: TapOptions, signal: AbortSignal): Promise<void> {
  const query = new URLSearchParams({ filter: options.filter, rate: String(options.rate) })
  if (options.limit !== undefined) query.set('limit', String(options.limit))
  let printed = 0
  try {
    const response = await open(address, `/tap?${query.toString()}`, signal)
    for await (const line of linesOf(response)) {
      if (line.startsWith('{"millrace_tap":')) {
        process.stderr.write(`millrace: ${line}\n`)
        continue
      }
      const text = options.json === true ? line : recordText(line)
      // A terminal or a pipe that does not keep up slows the reading, and the node leaves out what waits too long.
      if (!process.stdout.write(`${text}\n`))
        await new Promise((resolve) => process.stdout.once('drain', resolve))
      printed++
    }
  } catch (error) {
    if (signal.aborted) return
    if (error instanceof MillraceError) throw error
    throw ended(address, printed, error)
  }
  if (!signal.aborted && printed !== options.limit) throw ended(address, printed)
}

function ended(address: string, printed: number, cause?: unknown): MillraceError {
  return new MillraceError('node.gone', `the node on ${address} ended the tap after ${printed} records`, {
    cause,
  })
}
