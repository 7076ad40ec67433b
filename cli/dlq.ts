// `millrace dlq`: the records that a backend could not take: list, show, send again, purge.
import { join } from 'node:path'
import { Command } from 'commander'
import { MillraceError } from '../protocol/errors.js'
import { systemClock } from '../runtime/clock.js'
import { loadConfig } from '../runtime/config/load.js'
import {
  letterFigures,
  letterId,
  readLetters,
  removeLetters,
  type StoredLetter,
} from '../runtime/letter-store.js'
import { lockHolder } from '../runtime/wal/lock.js'
import { type LetterFilter, letterMatcher } from './dlq/filter.js'
import { openRedrive, type RedriveResult } from './dlq/redrive.js'
import { onInterrupt } from './interrupt.js'
import { configOption, jsonOption, positiveNumber } from './options.js'
import { table } from './text-table.js'

interface Flags extends LetterFilter {
  readonly config: string
  readonly json?: boolean
  readonly limit: number
  readonly dryRun?: boolean
  readonly all?: boolean
  readonly yes?: boolean
}

/** Letters that are held in memory at a time. */
const CHUNK = 5000

export function dlqCommand(): Command {
  const shared = (command: Command) => command.addOption(configOption()).addOption(jsonOption())
  const filtered = (command: Command) =>
    shared(command)
      .option('--backend <name>', 'letters of this backend')
      .option('--reason <code>', 'with this reason')
      .option('--service <name>', 'of this service_name')
      .option('--since <time>', 'buried since: a duration back, or a time')
      .option('--until <time>', 'buried before')
  return new Command('dlq')
    .description(
      'Dead letters: the records that a backend could not take, with the reason. A record is in every backend or here.\n\n' +
        'Each backend may have 1 GiB of them; at that bound nothing is given up: delivery to that backend waits, and /readyz says so.',
    )
    .addCommand(
      filtered(new Command('list'))
        .description('Lists letters, oldest first, and how many there are by backend.')
        .option('-n, --limit <letters>', 'at most so many', positiveNumber, 50)
        .action(list),
    )
    .addCommand(
      shared(new Command('show'))
        .argument('<id>', 'the letter: <frame>-<number>')
        .option('--backend <name>', 'where more than one backend has refused it')
        .description('Prints one letter whole, with the record.')
        .action(show),
    )
    .addCommand(
      filtered(new Command('redrive'))
        .description(
          'Sends letters to their backend again, under the same ids; what is taken leaves the dead letters. Exits 1 when some are refused again.',
        )
        .option('--dry-run', 'tell how many would be sent')
        .action(redriveLetters),
    )
    .addCommand(
      filtered(new Command('purge'))
        .description('Deletes letters for good. Needs a filter or --all, and --yes.')
        .option('--all', 'whatever it is')
        .option('--yes', 'do it; without, only tell how many')
        .action(purge),
    )
}

function rootOf(flags: { readonly config: string }) {
  const { config } = loadConfig(flags.config)
  return { config, root: join(config.node.data_dir, 'dlq'), journal: join(config.node.data_dir, 'journal') }
}

async function nodeRuns(journal: string): Promise<boolean> {
  return (await lockHolder(journal, systemClock)) !== undefined
}

async function* chosen(root: string, filter: LetterFilter): AsyncGenerator<StoredLetter> {
  const matches = letterMatcher(filter, systemClock.now())
  for await (const stored of readLetters(root)) if (matches(stored.letter)) yield stored
}

async function list(flags: Flags): Promise<void> {
  const { root } = rootOf(flags)
  const letters: StoredLetter[] = []
  let found = 0
  for await (const stored of chosen(root, flags)) {
    found++
    if (letters.length < flags.limit) letters.push(stored)
  }
  const figures = Object.fromEntries(await letterFigures(root))
  if (flags.json === true) return print(JSON.stringify({ found, figures, letters: letters.map(rowOf) }))
  const rows = letters
    .map(rowOf)
    .map((row) => [row.id, row.time, row.backend, row.reason, row.service, row.detail])
  const shown = table([['letter', 'time', 'backend', 'reason', 'service', 'detail'], ...rows], 1)
  if (letters.length > 0) print([...shown, ''].join('\n'))
  for (const [name, { letters: count, bytes }] of Object.entries(figures))
    print(`${name}: ${count} letters in ${bytes} bytes`)
  print(`${found} letters match${found > letters.length ? `, the first ${letters.length} are shown` : ''}`)
}

const DETAIL_CHARS = 60

function rowOf({ letter }: StoredLetter) {
  const { time, backend, reason, detail = '' } = letter
  const service = /"service_name":"((?:[^"\\]|\\.)*)"/.exec(letter.record)?.[1] ?? ''
  return { id: letterId(letter), time, backend, reason, service, detail: detail.slice(0, DETAIL_CHARS) }
}

async function show(id: string, flags: Flags): Promise<void> {
  const { root } = rootOf(flags)
  for await (const { letter } of chosen(
    root,
    flags.backend === undefined ? {} : { backend: flags.backend },
  )) {
    if (letterId(letter) !== id) continue
    if (flags.json === true) return print(JSON.stringify(letter))
    const { record, ...rest } = letter
    return print(
      [
        ...table(
          Object.entries(rest).map(([key, value]) => [key, String(value)]),
          1,
        ),
        '',
        record,
      ].join('\n'),
    )
  }
  throw new MillraceError(
    'dlq.unknown_letter',
    `no letter ${id}; millrace dlq list shows those that are there`,
  )
}

async function redriveLetters(flags: Flags): Promise<void> {
  const { config, root, journal } = rootOf(flags)
  const stop = onInterrupt()
  const total: RedriveResult = { sent: 0, refused: 0, open: 0, strangers: 0, reasons: {} }
  // Taken out in the end: a file is not changed while it is read. After a crash they are sent again, under the same ids.
  const taken: Pick<StoredLetter, 'letter' | 'folder'>[] = []
  const drive = openRedrive(config, stop.signal)
  try {
    for await (const chunk of chunksOf(chosen(root, flags))) {
      if (stop.signal.aborted) break
      if (flags.dryRun === true) total.sent += chunk.length
      else
        for (const { letter, folder } of await drive.send(chunk, total))
          taken.push({ letter: slim(letter), folder })
    }
  } finally {
    stop.end()
    await drive.close()
    if (taken.length > 0) await removeLetters(root, taken, await nodeRuns(journal))
  }
  const { sent, refused, open, strangers } = total
  if (flags.json === true) print(JSON.stringify({ ...total, dryRun: flags.dryRun === true }))
  else if (flags.dryRun === true) print(`${sent} letters would be sent again`)
  else {
    print(
      `${sent} letters taken, ${refused} refused again, ${open} without an answer, ${strangers} of backends that are not configured`,
    )
    for (const [reason, letters] of Object.entries(total.reasons)) print(`refused as ${reason}: ${letters}`)
  }
  if (refused + open + strangers > 0 || stop.signal.aborted) process.exitCode = 1
}

async function purge(flags: Flags): Promise<void> {
  const { root, journal } = rootOf(flags)
  const { backend, reason, service, since, until } = flags
  if (flags.all !== true && [backend, reason, service, since, until].every((value) => value === undefined)) {
    throw new MillraceError(
      'usage.purge',
      'dlq purge: name which letters (--backend, --reason, --service, --since, --until), or all with --all',
    )
  }
  const found: Pick<StoredLetter, 'letter' | 'folder'>[] = []
  for await (const { letter, folder } of chosen(root, flags)) found.push({ letter: slim(letter), folder })
  if (flags.yes === true && found.length > 0) await removeLetters(root, found, await nodeRuns(journal))
  const letters = found.length
  if (flags.json === true) print(JSON.stringify({ letters, purged: flags.yes === true }))
  else
    print(
      flags.yes === true ? `${letters} letters purged` : `${letters} letters would be purged; --yes does it`,
    )
}

async function* chunksOf(letters: AsyncGenerator<StoredLetter>): AsyncGenerator<StoredLetter[]> {
  let chunk: StoredLetter[] = []
  for await (const stored of letters) {
    chunk.push(stored)
    if (chunk.length < CHUNK) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}

/** Without the record: there may be a million of them. */
const slim = (letter: StoredLetter['letter']): StoredLetter['letter'] => ({
  ...letter,
  record: '',
  detail: '',
})

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
