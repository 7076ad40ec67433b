// `millrace top`: a running node's figures in the terminal, once a second.
import { Command } from 'commander'
import type { NodeStatus } from '../protocol/status.js'
import { sleep, systemClock } from '../runtime/clock.js'
import { onInterrupt } from './interrupt.js'
import { fetchStatus, nodeAddress } from './node-client.js'
import { addressOption, configOption, jsonOption } from './options.js'
import { renderTop } from './top-table.js'

interface TopOptions {
  readonly config: string
  readonly address?: string
  readonly once?: boolean
  readonly json?: boolean
  readonly all?: boolean
}

const EVERY_MS = 1000
const ALL_TIMEOUT_MS = 5000
const HOME_AND_CLEAR = '\u001b[H\u001b[J'

export function topCommand(): Command {
  return new Command('top')
    .description("Shows a running node's figures, each second; rates are of the last second.")
    .addOption(configOption())
    .addOption(addressOption())
    .addOption(jsonOption())
    .option('--once', 'print one picture and exit')
    .option('--all', 'all nodes of the cluster, a line each, over NATS')
    .action(async (options: TopOptions) => {
      const address = options.all === true ? undefined : nodeAddress(options)
      const stop = onInterrupt()
      try {
        // Loaded on demand: one node's figures need no NATS.
        if (address === undefined)
          await (await import('./top-all.js')).showAll({ ...options, timeout: ALL_TIMEOUT_MS }, stop.signal)
        else await show(address, options, stop.signal)
      } finally {
        stop.end()
      }
    })
}

async function show(address: string, options: TopOptions, signal: AbortSignal): Promise<void> {
  const live = options.once !== true && options.json !== true && process.stdout.isTTY === true
  let previous: NodeStatus | undefined
  try {
    for (;;) {
      const status = await fetchStatus(address, signal)
      if (options.json === true) process.stdout.write(`${JSON.stringify(status)}\n`)
      // One picture needs two looks: a rate is what happened between them.
      else if (options.once !== true || previous !== undefined) {
        process.stdout.write(`${live ? HOME_AND_CLEAR : ''}${renderTop(status, previous)}\n`)
      }
      if (options.once === true && (options.json === true || previous !== undefined)) return
      previous = status
      await sleep(systemClock, EVERY_MS, signal)
      if (signal.aborted) return
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
