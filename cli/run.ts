// `millrace run`: runs a node until it is told to stop, or with --once until everything read is acknowledged.
import { Command } from 'commander'
import type { Logger } from 'pino'
import { deadLetterCount } from '../runtime/dead-letters.js'
import { loadConfig } from '../runtime/config/load.js'
import { createLogger } from '../runtime/log.js'
import { configOption } from './options.js'
import { type RunningNode, startNode } from './node.js'

interface RunFlags {
  readonly config: string
  readonly once?: boolean
  readonly json?: boolean
}

const EXIT_DEAD_LETTERS = 3

export function runCommand(): Command {
  return new Command('run')
    .description('run this node; SIGTERM drains, SIGHUP reads the sampling section again')
    .addOption(configOption())
    .option('--once', 'read every file source to its end, wait until every backend has all of it, and exit')
    .option('--json', 'with --once: print the final status as JSON')
    .action(async (flags: RunFlags) => {
      const { config, warnings } = loadConfig(flags.config)
      const log = createLogger(config.runtime.log_level)
      for (const warning of warnings) log.warn(warning)
      const letters = deadLetterCount(config.node.data_dir)
      const node = await startNode({ config, once: flags.once === true, log })
      log.info({ node: config.node.id, http: node.httpAddress, data_dir: config.node.data_dir }, 'running')
      const reload = () => reloadSampling(flags.config, node, log)
      process.on('SIGHUP', reload)
      try {
        await Promise.race([node.finished, signalled()])
      } finally {
        process.off('SIGHUP', reload)
        await node.stop()
      }
      const status = node.status()
      if (flags.json === true) process.stdout.write(`${JSON.stringify(status)}\n`)
      log.info({ records: status.counters.readRecords, kept: status.counters.keptRecords }, 'stopped')
      if (flags.once === true && deadLetterCount(config.node.data_dir) > letters)
        process.exitCode = EXIT_DEAD_LETTERS
    })
}

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
export function signalled(): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => {
      process.off('SIGTERM', stop)
      process.off('SIGINT', stop)
      resolve()
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })
}

/** A bad file changes nothing: the last good settings stay. */
function reloadSampling(file: string, node: RunningNode, log: Logger): void {
  try {
    const { config, warnings } = loadConfig(file)
    for (const warning of warnings) log.warn(warning)
    node.applySampling(config.sampling)
    log.info('sampling settings applied; other sections take effect at the next start')
  } catch (error) {
    log.error(
      { reason: error instanceof Error ? error.message : String(error) },
      'reload refused, nothing changed',
    )
  }
}
