// `millrace ctl config`: the settings that all nodes follow: read, checked and written, compared, and taken back.
import { readFileSync } from 'node:fs'
import { Command, InvalidArgumentError, Option } from 'commander'
import { stringify } from 'yaml'
import { formatDuration } from '../../protocol/config/units.js'
import { parseSettings } from '../../protocol/control/settings.js'
import { MillraceError, systemCode } from '../../protocol/errors.js'
import { CANARY_KEY, nodeKey, SAMPLING_KEY } from '../../protocol/subjects.js'
import { checkSampling } from '../../runtime/config/sampling-section.js'
import { parseSection } from '../../runtime/config/section.js'
import { type BucketEntry, type ConfigBucket, openConfigBucket } from '../../runtime/nats/config-bucket.js'
import { openStreamsFor } from '../../runtime/nats/open-streams.js'
import { onInterrupt } from '../interrupt.js'
import { positiveNumber } from '../options.js'
import { demandNoRollOut, names, tryOnCanaries } from './canary.js'
import { lineDiff } from './diff.js'
import { caller, clusterOptions, type CtlOptions, durationMs, print } from './options.js'
import { ofCluster, openSession, type Session } from './session.js'

interface ConfigFlags extends CtlOptions {
  /** A value for one node, before everyone's. */
  readonly only?: string
}

const WATCH_MS = 30_000
const STDIN = 0

export function configCommand(): Command {
  return new Command('config')
    .description('The settings that all nodes follow instead of the section sampling of their files.')
    .summary('the settings that all nodes follow')
    .addCommand(sub('get', 'Prints the settings in force, as YAML.').action(run(get)))
    .addCommand(
      sub('set', 'Checks a section sampling and puts it in force on all nodes, or first on some.')
        .argument(
          '<file>',
          'YAML with the section, with or without the key `sampling`; - reads standard input',
        )
        .option('--canary <percent>', 'try it on this share of the nodes first, such as 5%', percent)
        .addOption(
          new Option(
            '--watch <duration>',
            `with --canary: how long the first nodes are watched (default: ${formatDuration(WATCH_MS)})`,
          ).argParser(durationMs),
        )
        .action((file: string, options: SetFlags) => {
          demandSensible(options)
          return run<SetFlags>((at) => set(at, file))(options)
        }),
    )
    .addCommand(
      sub(
        'diff',
        'Shows what a file, or an earlier revision, has otherwise than the settings in force. Exits 1 when they differ.',
      )
        .argument('[file]', 'YAML with the section; left out: the revision before')
        .option('--from <revision>', 'compare with this revision', positiveNumber)
        .action((file: string | undefined, options: DiffFlags) => {
          if (file !== undefined && options.from !== undefined)
            throw new MillraceError('usage.diff', '--from: compare with a file or with a revision, not both')
          return run<DiffFlags>((at) => diff(at, file))(options)
        }),
    )
    .addCommand(sub('history', 'Lists the revisions, newest first.').action(run(history)))
    .addCommand(
      sub('rollback', 'Puts an earlier revision in force again.')
        .option('--to <revision>', 'which; default: the one before', positiveNumber)
        .action(run(rollback)),
    )
    .addCommand(
      sub('delete', 'Removes the settings: every node goes back to its own file.').action(run(remove)),
    )
}

interface SetFlags extends ConfigFlags {
  readonly canary?: number
  readonly watch?: number
}
interface DiffFlags extends ConfigFlags {
  readonly from?: number
}
interface RollbackFlags extends ConfigFlags {
  readonly to?: number
}

interface Place<Flags> {
  readonly session: Session
  readonly bucket: ConfigBucket
  readonly key: string
  readonly options: Flags
}

function sub(name: string, description: string): Command {
  return clusterOptions(new Command(name).description(description)).option(
    '--only <node>',
    'the settings of this one node, which count before the others',
  )
}

function run<Flags extends ConfigFlags>(action: (place: Place<Flags>) => Promise<void>) {
  return async (options: Flags): Promise<void> => {
    const session = await openSession(options)
    try {
      await openStreamsFor(['config'], session.connection, session.nats)
      const bucket = await openConfigBucket(session.connection)
      const key = options.only === undefined ? SAMPLING_KEY : nodeKey(options.only)
      await action({ session, bucket, key, options })
    } finally {
      await session.close()
    }
  }
}

function demandSensible({ canary, only, watch }: SetFlags): void {
  if (canary !== undefined && only !== undefined)
    throw new MillraceError('usage.canary', '--canary: one node has no share; leave out --only')
  if (canary === undefined && watch !== undefined)
    throw new MillraceError('usage.watch', '--watch: nobody is watched without --canary; give both')
}

async function get({ bucket, key, options }: Place<ConfigFlags>): Promise<void> {
  const entry = await bucket.get(key)
  if (entry?.text === undefined)
    return print(options.json === true ? '{}' : `# nothing is set: every node follows its file`)
  const value = parseSettings(entry.text)
  if (options.json === true) return print(JSON.stringify({ key, revision: entry.revision, ...value }))
  print(`# ${key}: ${said(entry)}\n${yamlOf(entry)}`)
}

async function set(place: Place<SetFlags>, file: string): Promise<void> {
  const { session, bucket, key, options } = place
  const section = readSection(file)
  const before = await bucket.get(key)
  if (options.only !== undefined && before === undefined) await demandMember(session, options.only)
  // Everyone's would undo what is being tried, or be undone by it.
  if (options.only === undefined) demandNoRollOut((await bucket.get(CANARY_KEY))?.text, Date.now())
  const put = () => write(session, bucket, key, section, before?.revision ?? 0)
  const revision =
    options.canary === undefined ? await put() : await rollOut(place, section, options.canary, put)
  print(
    options.json === true ? JSON.stringify({ key, revision }) : `${key}: revision ${revision} is in force`,
  )
}

/** However it ends, the canaries follow what counts for all when it has. */
async function rollOut(
  { session, bucket, options }: Place<SetFlags>,
  section: unknown,
  percent: number,
  put: () => Promise<number>,
): Promise<number> {
  const stop = onInterrupt()
  try {
    await tryOnCanaries(session, bucket, section, {
      percent,
      watchMs: options.watch ?? WATCH_MS,
      signal: stop.signal,
    })
    try {
      return await put()
    } finally {
      await bucket.delete(CANARY_KEY, caller())
    }
  } finally {
    stop.end()
  }
}

/** Throws `usage.only`: settings for a name that nobody has would wait unseen. */
async function demandMember(session: Session, node: string): Promise<void> {
  const members = (await session.members()).map((member) => member.node)
  if (members.includes(node)) return
  const known = members.length === 0 ? 'none answers' : `there are ${names(members)}`
  throw new MillraceError('usage.only', `--only: no node ${node} answers on NATS; ${known}`)
}

/** Checked here, and on every node again. */
function readSection(file: string): unknown {
  let text: string
  try {
    text = readFileSync(file === '-' ? STDIN : file, 'utf8')
  } catch (cause) {
    const code = systemCode(cause) ?? String(cause)
    throw new MillraceError('config.unreadable', `${file}: can not be read (${code})`, { cause })
  }
  const value = parseSection(text) as Readonly<Record<string, unknown>>
  const section = 'sampling' in value ? value['sampling'] : value
  checkSampling(section)
  return section
}

function write(
  session: Session,
  bucket: ConfigBucket,
  key: string,
  section: unknown,
  after: number,
): Promise<number> {
  const value = { section, by: caller(), ...ofCluster(session), at: new Date().toISOString() }
  return bucket.put(key, JSON.stringify(value), after)
}

async function diff({ bucket, key, options }: Place<DiffFlags>, file: string | undefined): Promise<void> {
  const entries = await bucket.history(key)
  const current = entries[0]
  const other = file === undefined ? earlier(entries, options.from, key) : undefined
  const [before, after] =
    file === undefined ? [yamlOf(other), yamlOf(current)] : [yamlOf(current), stringify(readSection(file))]
  const lines = lineDiff(before, after)
  if (options.json === true) print(JSON.stringify({ key, equal: lines.length === 0, lines }))
  else if (lines.length > 0) print(lines.join('\n').trimEnd())
  if (lines.length > 0) process.exitCode = 1
}

async function history({ bucket, key, options }: Place<ConfigFlags>): Promise<void> {
  const entries = await bucket.history(key)
  if (entries.length === 0 && options.json !== true) print(`# ${key} was never set`)
  for (const entry of entries) {
    const { revision, at, text } = entry
    const by = text === undefined ? entry.deletedBy : parseSettings(text)?.by
    if (options.json === true) print(JSON.stringify({ revision, at, by, deleted: text === undefined }))
    else print(said(entry))
  }
}

async function rollback({ session, bucket, key, options }: Place<RollbackFlags>): Promise<void> {
  const entries = await bucket.history(key)
  const target = earlier(entries, options.to, key)
  const section = parseSettings(target.text ?? '')?.section
  if (section === undefined) {
    await bucket.delete(key, caller())
    return print(`${key}: nothing is set any more, as before revision ${entries[0]?.revision}`)
  }
  checkSampling(section)
  const revision = await write(
    session,
    bucket,
    key,
    section,
    entries[0]?.text === undefined ? 0 : entries[0].revision,
  )
  print(`${key}: revision ${revision} is in force, with the section of revision ${target.revision}`)
}

async function remove({ bucket, key }: Place<ConfigFlags>): Promise<void> {
  await bucket.delete(key, caller())
  print(`${key}: nothing is set any more`)
}

function earlier(entries: readonly BucketEntry[], wanted: number | undefined, key: string): BucketEntry {
  const found = wanted === undefined ? entries[1] : entries.find(({ revision }) => revision === wanted)
  if (found !== undefined) return found
  if (entries.length === 0)
    throw new MillraceError('ctl.revision', `${key} was never set: there is no revision to go by`)
  const known = entries.map(({ revision }) => revision).join(', ')
  const which = wanted === undefined ? 'no revision before the newest' : `no revision ${wanted}`
  throw new MillraceError('ctl.revision', `${key} has ${which}; known are ${known}`)
}

function yamlOf(entry: BucketEntry | undefined): string {
  const section = parseSettings(entry?.text ?? '')?.section
  return section === undefined ? '' : stringify(section).trimEnd()
}

function said({ revision, at, text, deletedBy = 'hand' }: BucketEntry): string {
  const by = parseSettings(text ?? '')?.by ?? 'by hand'
  return `revision ${revision}, ${at.toISOString()}, ${text === undefined ? `deleted by ${deletedBy}` : by}`
}

function percent(text: string): number {
  const value = Number(text.replace(/%$/, ''))
  if (value > 0 && value <= 100) return value
  throw new InvalidArgumentError('expected a share of the nodes such as 5%.')
}
