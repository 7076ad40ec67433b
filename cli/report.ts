// `millrace report`: what a running node keeps, per service and level, for a day, and what that costs.
import { existsSync } from 'node:fs'
import { Command, InvalidArgumentError, Option } from 'commander'
import { report as reportOptions, type ReportOptions } from '../protocol/config/report.js'
import { parseDurationMs } from '../protocol/config/units.js'
import type { NodeStatus } from '../protocol/status.js'
import { sleep, systemClock } from '../runtime/clock.js'
import { loadReach } from '../runtime/config/reach.js'
import { onInterrupt } from './interrupt.js'
import { fetchMetrics, fetchStatus, nodeAddress } from './node-client.js'
import { addressOption, CONFIG_FILE, configOption, jsonOption, positiveNumber, warn } from './options.js'
import { readCounters } from './report/counters.js'
import { type NodeReport, reportBetween, reportJson, reportText } from './report/volumes.js'

interface Options {
  readonly config: string
  readonly address?: string
  readonly over?: number
  readonly rows: number
  readonly json?: boolean
}

const ROWS = 50

export function reportCommand(): Command {
  return new Command('report')
    .description(
      'Shows what a running node has read and kept since its start, per service and level, as figures of a day, with the cost at each backend.',
    )
    .addOption(configOption())
    .addOption(addressOption())
    .addOption(
      new Option('--over <duration>', 'watch for so long instead of counting from the start').argParser(
        duration,
      ),
    )
    .addOption(new Option('--rows <n>', 'rows shown').default(ROWS).argParser(positiveNumber))
    .addOption(jsonOption())
    .action(async (options: Options) => {
      const found = await watch(nodeAddress(options), pricesOf(options), options.over)
      if (found === undefined) return
      const text = options.json === true ? JSON.stringify(reportJson(found)) : reportText(found, options.rows)
      process.stdout.write(`${text}\n`)
    })
}

/** Undefined when it was interrupted. */
async function watch(
  address: string,
  prices: ReportOptions,
  overMs: number | undefined,
): Promise<NodeReport | undefined> {
  const look = async (): Promise<{ status: NodeStatus; rows: ReturnType<typeof readCounters> }> => {
    const status = await fetchStatus(address)
    return { status, rows: readCounters(await fetchMetrics(address)) }
  }
  const first = await look()
  if (overMs === undefined) return reportBetween(undefined, first, prices)
  const stop = onInterrupt()
  try {
    await sleep(systemClock, overMs, stop.signal)
    return stop.signal.aborted ? undefined : reportBetween(first, await look(), prices)
  } finally {
    stop.end()
  }
}

/** What is wrong with the file has been told when the address was read from it. */
function pricesOf({ config: file, address }: Options): ReportOptions {
  if (file === CONFIG_FILE && !existsSync(file)) return reportOptions.parse({})
  return loadReach(file, ['report'], address === undefined ? () => undefined : warn).report
}

function duration(text: string): number {
  const ms = parseDurationMs(text)
  if (ms !== undefined && ms >= 1000) return ms
  throw new InvalidArgumentError('expected a duration of 1s or more, such as 10s or 5m.')
}
