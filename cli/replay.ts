// `millrace replay`: sends records from the archive or the journal to a backend again, under the same ids: for a new backend, a lost index, a changed mapping.
import { Command } from 'commander'
import { compileFilter } from '../protocol/filter.js'
import { MillraceError } from '../protocol/errors.js'
import { formatBytes, parseBytes } from '../protocol/config/units.js'
import { systemClock } from '../runtime/clock.js'
import { loadConfig } from '../runtime/config/load.js'
import { onInterrupt } from './interrupt.js'
import { configOption, jsonOption } from './options.js'
import { replay, type ReplayProgress } from './replay/replay.js'
import { parseSince } from './since.js'

interface Flags {
  readonly config: string
  readonly json?: boolean
  readonly from: string
  readonly to: string
  readonly since: string
  readonly until?: string
  readonly filter: string
  readonly rate: string
  readonly dryRun?: boolean
}

const PROGRESS_EVERY_MS = 1000

export function replayCommand(): Command {
  return new Command('replay')
    .description(
      'Sends records from the archive or the journal to a backend again, under the same ids: what it has already stays as it is.\n\n' +
        'For a new backend, a lost index, a changed mapping. Works while the node runs. Exits 1 when records were refused.',
    )
    .addOption(configOption())
    .addOption(jsonOption())
    .requiredOption('--from <source>', '`archive` (or the name of an archive backend), or `journal`')
    .requiredOption('--to <backend>', 'an elasticsearch or loki backend of the configuration')
    .requiredOption('--since <time>', 'from here on: a duration back, or a time')
    .option('--until <time>', 'up to here; default: now')
    .option('-f, --filter <filter>', 'only these records (as `millrace tap` takes it)', '')
    .option('--rate <bytes>', 'at most so many bytes of records a second', '16MiB')
    .option('--dry-run', 'count, send nothing')
    .action(run)
}

async function run(flags: Flags): Promise<void> {
  const { config } = loadConfig(flags.config)
  const nowMs = systemClock.now()
  const bytesPerSecond = parseBytes(flags.rate)
  if (bytesPerSecond === undefined || bytesPerSecond <= 0)
    throw new MillraceError(
      'usage.rate',
      `--rate: got ${JSON.stringify(flags.rate)}, expected bytes a second such as 4MiB`,
    )
  const sinceMs = parseSince('--since', flags.since, nowMs)
  const untilMs = flags.until === undefined ? nowMs : parseSince('--until', flags.until, nowMs)
  if (untilMs <= sinceMs)
    throw new MillraceError(
      'usage.time',
      `--until: ${new Date(untilMs).toISOString()} is not after --since, ${new Date(sinceMs).toISOString()}: there is nothing between them`,
    )
  const stop = onInterrupt()
  let saidMs = systemClock.monotonic()
  const progress = (at: ReplayProgress): void => {
    if (systemClock.monotonic() - saidMs < PROGRESS_EVERY_MS) return
    saidMs = systemClock.monotonic()
    process.stderr.write(`millrace: ${progressText(at)}\n`)
  }
  try {
    const result = await replay(config, {
      from: flags.from,
      to: flags.to,
      sinceMs,
      untilMs,
      matches: flags.filter === '' ? undefined : compileFilter(flags.filter),
      bytesPerSecond,
      dryRun: flags.dryRun === true,
      signal: stop.signal,
      progress,
    })
    if (flags.json === true) process.stdout.write(`${JSON.stringify(result)}\n`)
    else process.stdout.write(`${progressText(result)}${result.interrupted ? '; interrupted' : ''}\n`)
    const failed = result.refused + result.unreadable + result.open > 0
    if (failed || result.interrupted) process.exitCode = 1
  } finally {
    stop.end()
  }
}

function progressText(at: ReplayProgress): string {
  const seconds = Math.max(0.001, at.tookMs / 1000)
  const reasons = Object.entries(at.reasons).map(([reason, records]) => `${reason} ${records}`)
  const bad = at.refused > 0 ? `, ${at.refused} refused (${reasons.join(', ')})` : ''
  const odd = at.unreadable + at.open > 0 ? `, ${at.unreadable} unreadable, ${at.open} without an answer` : ''
  const rate = formatBytes(Math.round(at.bytes / seconds / 1024) * 1024)
  return `${at.frames} frames, ${at.records} records sent or there already (at ${at.at}; ${rate}/s)${bad}${odd}`
}
