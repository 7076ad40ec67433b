// The options of every `ctl` command, and what they say of whom to ask.
import { userInfo, hostname } from 'node:os'
import { type Command, Option } from 'commander'
import { formatDuration, parseDurationMs } from '../../protocol/config/units.js'
import { MillraceError } from '../../protocol/errors.js'
import { TIMER_MS_MAX } from '../../runtime/clock.js'
import { configOption, jsonOption } from '../options.js'

export interface CtlOptions {
  readonly config: string
  readonly json?: boolean
  readonly node?: string
  readonly all?: boolean
  readonly nats?: readonly string[]
  readonly creds?: string
  readonly timeout: number
}

const TIMEOUT_MS = 5000

/** Adds the options of where the cluster is. */
export function clusterOptions(command: Command): Command {
  return command
    .addOption(configOption())
    .addOption(jsonOption())
    .addOption(
      new Option(
        '--nats <address...>',
        'servers to ask instead of those of the configuration, which is not read then',
      ),
    )
    .addOption(new Option('--creds <file>', 'credentials file for --nats'))
    .addOption(
      new Option('--timeout <duration>', 'how long to wait for answers')
        .default(TIMEOUT_MS, formatDuration(TIMEOUT_MS))
        .argParser(timeoutMs),
    )
}

/** Which nodes are meant. */
export const whichNodes = (): Option[] => [
  new Option('--node <id>', 'ask this node over NATS; default: the one of the configuration, by its socket'),
  new Option('--all', 'ask all nodes of the cluster over NATS').conflicts('node'),
]

/** Adds the options of which nodes are meant. */
export function nodeOptions(command: Command): Command {
  const extended = clusterOptions(command)
  for (const option of whichNodes()) extended.addOption(option)
  return extended
}

function timeoutMs(text: string): number {
  const value = durationMs(text)
  if (value <= TIMER_MS_MAX) return value
  throw new MillraceError('usage.duration', `--timeout: got ${text}, expected at most 24d`)
}

/** For commander: a duration such as 30s. */
export function durationMs(text: string): number {
  const value = parseDurationMs(text)
  if (value !== undefined && value > 0) return value
  throw new MillraceError(
    'usage.duration',
    `got ${JSON.stringify(text)}, expected a duration such as 200ms, 30s or 5m`,
  )
}

/** Who the caller says to be, for the node's log. */
export function caller(): string {
  let user = 'unknown'
  try {
    user = userInfo().username
  } catch {
    // A user id without an entry in passwd, as containers have it.
    user = String(process.getuid?.() ?? 'unknown')
  }
  return `${user}@${hostname()}`
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
