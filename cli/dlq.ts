// `millrace dlq`: the records that a backend could not take: list, show, send again, purge.
import { Command, Option } from 'commander'
import type { Config } from '../protocol/config/schema.js'
import { MillraceError } from '../protocol/errors.js'
import { loadConfig } from '../runtime/config/load.js'
import { letterId } from '../runtime/letter-store.js'
import { type LetterFilter, serviceOf } from './dlq/filter.js'
import { type FoundLetter, type LetterPlace, type Letters, openLetters } from './dlq/letters.js'
import { openRedrive, type RedriveResult } from './dlq/redrive.js'
import { idOf } from './id-words.js'
import { onInterrupt } from './interrupt.js'
import { configOption, jsonOption, positiveNumber } from './options.js'
import { printable, table } from './text-table.js'

interface Flags extends LetterFilter {
  readonly config: string
  readonly json?: boolean
  readonly from?: 'folder' | 'stream'
  readonly limit: number
  readonly dryRun?: boolean
  readonly all?: boolean
  readonly yes?: boolean
}

/** Letters that are held in memory at a time. */
const CHUNK = 5000

export function dlqCommand(): Command {
  const shared = (command: Command) =>
    command
      .addOption(configOption())
      .addOption(jsonOption())
      .addOption(
        new Option('--from <place>', "only this node's folder, or only the stream in NATS").choices([
          'folder',
          'stream',
        ]),
      )
  const filtered = (command: Command) =>
    shared(command)
      .option('--backend <name>', 'letters of this backend')
      .option('--reason <code>', 'with this reason')
      .option('--service <name>', 'of this service_name')
      .option('--node <name>', 'of this node')
      .option('--since <time>', 'buried since: a duration back, or a time')
      .option('--until <time>', 'buried before')
  return new Command('dlq')
    .description(
      'Dead letters: the records that a backend could not take, with the reason. A record is in every backend or here.\n\n' +
        'Each backend may have 1 GiB of them; at that bound nothing is given up: delivery to that backend waits, and /readyz says so.\n\n' +
        'With NATS they go on into the stream MILLRACE_DLQ, and these commands are about those of all nodes of the cluster.',
    )
    .addCommand(
      filtered(new Command('list'))
        .description('Lists letters, oldest first, and how many there are by backend.')
        .option('-n, --limit <letters>', 'at most so many', positiveNumber, 50)
        .action(list),
    )
    .addCommand(
      shared(new Command('show'))
        .argument('<id>', 'the letter: <frame>-<number>', idOf)
        .option('--backend <name>', 'where more than one backend has refused it')
        .option('--node <name>', 'where more than one node has it')
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

/** Runs a command on the letters; one that could not look into all of them says so, and exits 1. */
async function withLetters(
  flags: Flags,
  work: (letters: Letters, config: Config) => Promise<void>,
): Promise<void> {
  const { config } = loadConfig(flags.config)
  const letters = await openLetters(config, flags)
  try {
    await work(letters, config)
    for (const file of await letters.strangers()) {
      process.stderr.write(`without ${file}, which is no file of letters; move it away\n`)
      process.exitCode = 1
    }
  } finally {
    await letters.close()
  }
  if (letters.away === undefined) return
  process.stderr.write(`without the letters in NATS: ${letters.away}; --from folder leaves them out\n`)
  process.exitCode = 1
}

const list = (flags: Flags): Promise<void> =>
  withLetters(flags, async (letters) => {
    const shown: FoundLetter[] = []
    let found = 0
    for await (const one of letters.chosen(flags)) {
      found++
      if (shown.length < flags.limit) shown.push(one)
    }
    const figures = await letters.figures()
    if (flags.json === true) return print(JSON.stringify({ found, figures, letters: shown.map(rowOf) }))
    const rows = shown
      .map(rowOf)
      .map((row) => [row.id, row.time, row.backend, row.reason, row.service, row.node, row.in, row.detail])
    const head = ['letter', 'time', 'backend', 'reason', 'service', 'node', 'in', 'detail']
    if (shown.length > 0) print([...table([head, ...rows], 1), ''].join('\n'))
    for (const [name, { letters: count, bytes }] of Object.entries(figures))
      print(`${name}: ${count} letters in ${bytes} bytes`)
    print(`${found} letters match${found > shown.length ? `, the first ${shown.length} are shown` : ''}`)
  })

const DETAIL_CHARS = 60

function rowOf({ letter, folder, node }: FoundLetter) {
  const { time, backend, reason, detail = '' } = letter
  const service = serviceOf(letter) ?? ''
  const where = { node, in: folder === undefined ? 'stream' : 'folder' }
  return {
    id: letterId(letter),
    time,
    backend,
    reason,
    service,
    ...where,
    detail: detail.slice(0, DETAIL_CHARS),
  }
}

const show = (id: string, flags: Flags): Promise<void> =>
  withLetters(flags, async (letters) => {
    for await (const { letter, node } of letters.chosen(flags)) {
      if (letterId(letter) !== id) continue
      if (flags.json === true) return print(JSON.stringify({ ...letter, node }))
      const { record, ...rest } = letter
      const lines = Object.entries({ ...rest, node }).map(([key, value]) => [key, String(value)])
      return print([...table(lines, 1), '', printable(record)].join('\n'))
    }
    const text = `no letter ${id}; millrace dlq list shows those that are there`
    throw new MillraceError('dlq.unknown_letter', text)
  })

const redriveLetters = (flags: Flags): Promise<void> =>
  withLetters(flags, async (letters, config) => {
    const stop = onInterrupt()
    const total: RedriveResult = { sent: 0, refused: 0, open: 0, strangers: 0, reasons: {} }
    // Taken out in the end: a file is not changed while it is read. After a crash they are sent again, under the same ids.
    const taken: LetterPlace[] = []
    const drive = openRedrive(config, stop.signal)
    try {
      for await (const chunk of chunksOf(letters.chosen(flags))) {
        if (stop.signal.aborted) break
        if (flags.dryRun === true) total.sent += chunk.length
        else taken.push(...(await drive.send(chunk, total)).map(placeOf))
      }
    } finally {
      stop.end()
      await drive.close()
      if (taken.length > 0) await letters.remove(taken)
    }
    const { sent, refused, open, strangers } = total
    if (flags.json === true) print(JSON.stringify({ ...total, dryRun: flags.dryRun === true }))
    else if (flags.dryRun === true) print(`${sent} letters would be sent again`)
    else {
      print(
        `${sent} letters taken, ${refused} refused again, ${open} without an answer, ${strangers} of backends that are not configured`,
      )
      for (const [reason, count] of Object.entries(total.reasons))
        print(`refused as ${printable(reason)}: ${count}`)
    }
    if (refused + open + strangers > 0 || stop.signal.aborted) process.exitCode = 1
  })

async function purge(flags: Flags): Promise<void> {
  const { backend, reason, service, node, since, until } = flags
  const filters = [backend, reason, service, node, since, until]
  if (flags.all !== true && filters.every((value) => value === undefined)) {
    throw new MillraceError(
      'usage.purge',
      'dlq purge: name which letters (--backend, --reason, --service, --node, --since, --until), or all with --all',
    )
  }
  await withLetters(flags, async (letters) => {
    const found: LetterPlace[] = []
    for await (const one of letters.chosen(flags)) found.push(placeOf(one))
    if (flags.yes === true && found.length > 0) await letters.remove(found)
    const count = found.length
    if (flags.json === true) print(JSON.stringify({ letters: count, purged: flags.yes === true }))
    else
      print(
        flags.yes === true ? `${count} letters purged` : `${count} letters would be purged; --yes does it`,
      )
  })
}

async function* chunksOf(letters: AsyncGenerator<FoundLetter>): AsyncGenerator<FoundLetter[]> {
  let chunk: FoundLetter[] = []
  for await (const stored of letters) {
    chunk.push(stored)
    if (chunk.length < CHUNK) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}

const placeOf = ({ letter: { backend, frame, n }, folder }: FoundLetter): LetterPlace => ({
  letter: { backend, frame, n },
  folder,
})

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
