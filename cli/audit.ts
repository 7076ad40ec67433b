// `millrace audit`: shows what the audit found, checks and repairs now, looks at one frame.
import { join } from 'node:path'
import { Command } from 'commander'
import { readAuditLog } from '../actors/auditor/audit-log.js'
import { readLocalQueue } from '../actors/auditor/local-queue.js'
import { loadConfig } from '../runtime/config/load.js'
import { systemClock } from '../runtime/clock.js'
import { lettersFolder } from '../runtime/dead-letters.js'
import { letterFigures } from '../runtime/letter-store.js'
import { sharedState } from './audit/shared.js'
import { frameText, runText, statusText } from './audit/text.js'
import { auditFrame } from './audit/frame.js'
import { auditRun } from './audit/run.js'
import { idOf } from './id-words.js'
import { onInterrupt } from './interrupt.js'
import { configOption, jsonOption, positiveNumber } from './options.js'
import { parseSince } from './since.js'

interface Flags {
  readonly config: string
  readonly json?: boolean
}
interface RunFlags extends Flags {
  readonly since: string
  readonly dryRun?: boolean
  readonly archive?: boolean
  readonly rate: number
}

const EVENTS_SHOWN = 10_000

export function auditCommand(): Command {
  const shared = (command: Command) => command.addOption(configOption()).addOption(jsonOption())
  return new Command('audit')
    .description(
      'Checks that Elasticsearch and Loki hold every record of every frame, and repairs what is missing.',
    )
    .addCommand(
      shared(new Command('status'))
        .description('Shows the queue of the audit and what it found lately.')
        .action(status),
    )
    .addCommand(
      shared(new Command('run'))
        .description(
          'Checks and repairs now. Exits 0 when all agrees or was repaired, 1 when not. Works while the node runs.',
        )
        .option('--since <time>', 'frames made since: a duration back, or a time', '1h')
        .option('--dry-run', 'tell the differences, repair nothing')
        .option('--archive', 'check also the frames that only the archive still knows')
        .option('--rate <queries>', 'at most so many queries a second to each backend', positiveNumber, 10)
        .action(run),
    )
    .addCommand(
      shared(new Command('frame'))
        .argument('<id>', 'the frame, as batch_id names it', idOf)
        .option('--since <time>', 'how far back it may be', '7d')
        .option('--archive', 'look for it in the archive too')
        .description('Shows what each backend holds of one frame. Exits 1 when something is missing.')
        .action(frame),
    )
}

async function status(flags: Flags): Promise<void> {
  const { config } = loadConfig(flags.config)
  const folder = join(config.node.data_dir, 'audit')
  const [tasks, events, letters, shared] = await Promise.all([
    readLocalQueue(join(folder, 'queue')),
    readAuditLog(folder, EVENTS_SHOWN),
    letterFigures(lettersFolder(config.node.data_dir)),
    config.audit.enabled ? sharedState(config) : undefined,
  ])
  const nowMs = systemClock.now()
  const stages = { first: 0, again: 0 }
  for (const { stage } of tasks) stages[stage]++
  const result = {
    enabled: config.audit.enabled,
    waiting: stages,
    due: tasks.filter(({ dueMs }) => dueMs <= nowMs).length,
    postponed: tasks.filter(({ postponed }) => postponed > 0).length,
    deadLetters: Object.fromEntries(letters),
    events,
    ...(shared === undefined ? {} : { shared }),
  }
  print(flags.json === true ? JSON.stringify(result) : statusText(result))
}

async function run(flags: RunFlags): Promise<void> {
  const { config } = loadConfig(flags.config)
  const nowMs = systemClock.now()
  const stop = onInterrupt()
  try {
    const result = await auditRun(config, {
      sinceMs: parseSince('--since', flags.since, nowMs),
      repairs: flags.dryRun !== true,
      withArchive: flags.archive === true,
      queriesPerSecond: flags.rate,
      signal: stop.signal,
    })
    print(flags.json === true ? JSON.stringify(result) : runText(result))
    if (!result.whole) process.exitCode = 1
  } finally {
    stop.end()
  }
}

async function frame(id: string, flags: Flags & { since: string; archive?: boolean }): Promise<void> {
  const { config } = loadConfig(flags.config)
  const sinceMs = parseSince('--since', flags.since, systemClock.now())
  const result = await auditFrame(config, id, sinceMs, flags.archive === true)
  print(flags.json === true ? JSON.stringify(result) : frameText(result))
  if (!result.whole) process.exitCode = 1
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
