// `millrace run`: runs a node until it is told to stop, or with --once until everything read is acknowledged.
import { Command } from 'commander'
import type { Logger } from 'pino'
import { MillraceError, saidOf, systemCode } from '../protocol/errors.js'
import { deadLetterCount, lettersFolder } from '../runtime/dead-letters.js'
import { type LoadedConfig, loadConfig } from '../runtime/config/load.js'
import type { NodeStatus } from '../protocol/status.js'
import { createLogger } from '../runtime/log.js'
import { configOption } from './options.js'
import { type RunningNode, startNode } from './node.js'
import { listenForSignals } from './signals.js'

interface RunFlags {
  readonly config: string
  readonly once?: boolean
  readonly json?: boolean
}

const EXIT_FAULT = 1
const EXIT_DEAD_LETTERS = 3

export function runCommand(): Command {
  return new Command('run')
    .description('run this node; SIGTERM drains, SIGHUP reads the sampling section again')
    .addOption(configOption())
    .option('--once', 'read every file source to its end, wait until every backend has all of it, and exit')
    .option('--json', 'with --once: print the final status as JSON')
    .action(async (flags: RunFlags) => {
      const signals = listenForSignals()
      const { config, warnings } = loadConfig(flags.config)
      const log = createLogger(config.runtime.log_level)
      for (const warning of warnings) log.warn(warning)
      const lettersBefore = flags.once === true ? await countLetters(config.node.data_dir) : 0
      const reload = (): Promise<unknown> => reloadSampling(flags.config, node, log)
      const node = await startNode({
        config,
        once: flags.once === true,
        log,
        stopAsked: signals.stopAsked,
        reload,
      })
      log.info({ node: config.node.id, http: node.httpAddress, data_dir: config.node.data_dir }, 'running')
      // What fails is in the log, and has changed nothing.
      signals.onReload(() => void reload().catch(() => undefined))
      let isFinished = false
      try {
        isFinished = await Promise.race([node.finished.then(() => true), signals.stopAsked.then(() => false)])
      } finally {
        await node.stop()
      }
      const status = node.status()
      if (flags.json === true) process.stdout.write(`${JSON.stringify(status)}\n`)
      log.info({ records: status.counters.readRecords, kept: status.counters.keptRecords }, 'stopped')
      if (flags.once === true && !isFinished) {
        log.error(
          'ended by a signal before everything was read and acknowledged: run it again, it goes on from there',
        )
        process.exitCode = EXIT_FAULT
      }
      if (flags.once === true && tellUnread(status, log)) process.exitCode = EXIT_FAULT
      if (flags.once === true && (await countLetters(config.node.data_dir)) > lettersBefore)
        process.exitCode = EXIT_DEAD_LETTERS
    })
}

async function countLetters(dataDir: string): Promise<number> {
  const folder = lettersFolder(dataDir)
  try {
    return await deadLetterCount(folder)
  } catch (cause) {
    const text = `node.data_dir: ${folder} can not be read (${systemCode(cause) ?? String(cause)}); change its permissions or name another place`
    throw new MillraceError('data_dir.unreadable', text, { cause })
  }
}

/** A batch that left files out is not done: true when a source ended with files that it could not read. */
function tellUnread({ actors }: NodeStatus, log: Logger): boolean {
  const faults = Object.entries(actors).filter(([, { detail }]) => Number(detail.faults ?? 0) > 0)
  for (const [actor, { detail }] of faults)
    log.error(
      { actor, faults: detail.faults },
      'not everything could be read; the warnings above name the files',
    )
  return faults.length > 0
}

/** A bad file changes nothing: the last good settings stay, and what was wrong is told in the log and thrown. */
async function reloadSampling(file: string, node: RunningNode, log: Logger): Promise<unknown> {
  const { config, warnings } = loadOr(file, node.sampling.refuse)
  for (const warning of warnings) log.warn(warning)
  try {
    const applied = await node.reloadFile(config.sampling)
    if (node.settingsOrigin() === 'file')
      log.info('sampling settings applied; other sections take effect at the next start')
    else log.warn('sampling settings read; those of the cluster stay in effect before them')
    return { file, inEffect: node.settingsOrigin() === 'file', warnings, ...applied }
  } catch (error) {
    // What was refused is told where it is refused.
    if (error instanceof MillraceError && error.code === 'sampling.late') log.warn(error.message)
    throw error
  }
}

function loadOr(file: string, refuse: (reason: string) => void): LoadedConfig {
  try {
    return loadConfig(file)
  } catch (error) {
    refuse(saidOf(error))
    throw error
  }
}
