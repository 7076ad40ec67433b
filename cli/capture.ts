// `millrace capture`: lists the last words of containers that are in the store or still on this node's disk, and fetches one.
import { existsSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Command, Option } from 'commander'
import { capturesFolder, chooseStore } from '../actors/capture/plan.js'
import { createSpool, type Spool } from '../actors/capture/spool.js'
import { openStore } from '../actors/capture/store.js'
import { MillraceError, systemCode } from '../protocol/errors.js'
import { systemClock } from '../runtime/clock.js'
import { loadConfig } from '../runtime/config/load.js'
import { captureTable, type ListedCapture } from './capture-table.js'
import { configOption, jsonOption, positiveNumber } from './options.js'

interface ListOptions {
  readonly config: string
  readonly json?: boolean
  readonly max: number
}

interface GetOptions {
  readonly config: string
  readonly output?: string
}

const LIST_MAX = 100
/** Among so many of the store's newest a capture is looked for by its name alone. */
const SEARCH_MAX = 10_000

export function captureCommand(): Command {
  return new Command('capture')
    .description('Shows and fetches the last words of containers that died.')
    .addCommand(
      new Command('list')
        .description(
          'Lists captures, newest first: those in the store, and those that wait on this disk for it.',
        )
        .addOption(configOption())
        .addOption(jsonOption())
        .addOption(new Option('--max <n>', 'captures shown').default(LIST_MAX).argParser(positiveNumber))
        .action(list),
    )
    .addCommand(
      new Command('get')
        .description('Fetches one capture: a gzipped tar archive.')
        .argument('<name>', 'its name, or <cluster>/<namespace>/<name>')
        .addOption(configOption())
        .option(
          '-o, --output <file>',
          'where to write it; - is standard output; default: its name, in this folder',
        )
        .action(get),
    )
}

interface Place {
  readonly spool: Spool
  readonly store: Awaited<ReturnType<typeof openStore>>
}

async function withPlace<T>(file: string, run: (place: Place) => Promise<T>): Promise<T> {
  const { config } = loadConfig(file)
  const folder = join(capturesFolder(config.node.data_dir), 'waiting')
  const spool = createSpool(folder, Number.POSITIVE_INFINITY, systemClock.now)
  // A look changes nothing: no folder is made where no node has run.
  if (existsSync(folder)) await spool.look()
  const store = await openStore(chooseStore(config), config.nats)
  try {
    return await run({ spool, store })
  } finally {
    await store.close()
  }
}

async function list(options: ListOptions): Promise<void> {
  await withPlace(options.config, async ({ spool, store }) => {
    const waiting = spool
      .waiting()
      .map(({ key, bytes, atMs }): ListedCapture => ({ key, bytes, atMs, place: 'waits on disk' }))
    const show = (all: readonly ListedCapture[]): void =>
      print(options.json === true ? JSON.stringify(all) : captureTable(all, store.place))
    try {
      const stored = (await store.list(options.max)).map(
        ({ key, bytes, storedAtMs }): ListedCapture => ({ key, bytes, atMs: storedAtMs, place: store.place }),
      )
      show([...waiting, ...stored].sort((a, b) => b.atMs - a.atMs).slice(0, options.max))
    } catch (error) {
      // What is on this disk can be shown even so.
      if (waiting.length > 0) show(waiting)
      throw error
    }
  })
}

async function get(name: string, options: GetOptions): Promise<void> {
  const bytes = await withPlace(options.config, async ({ spool, store }) => {
    const matches = (key: string): boolean => key === name || (!name.includes('/') && basename(key) === name)
    const waiting = spool.waiting().find(({ key }) => matches(key))
    if (waiting !== undefined) return spool.read(waiting.key)
    const keys = name.includes('/')
      ? [name]
      : (await store.list(SEARCH_MAX)).map(({ key }) => key).filter(matches)
    if (keys.length > 1) {
      const text = `captures: ${keys.length} are called ${name}: name one of ${keys.slice(0, 5).join(', ')}`
      throw new MillraceError('usage.capture', text)
    }
    return keys[0] === undefined ? undefined : store.get(keys[0])
  })
  if (bytes === undefined) {
    const text = `captures: there is none called ${name}; \`millrace capture list\` shows all`
    throw new MillraceError('capture.not_found', text)
  }
  if (options.output === '-') return void process.stdout.write(bytes)
  write(options.output ?? basename(name), bytes)
}

function write(file: string, bytes: Uint8Array): void {
  try {
    writeFileSync(file, bytes, { mode: 0o600 })
  } catch (cause) {
    const text = `--output: ${file} can not be written (${systemCode(cause) ?? String(cause)}); name another file`
    throw new MillraceError('usage.output', text, { cause })
  }
  print(`${file}: ${bytes.length} bytes`)
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
