// `millrace wal`: shows what lies in a node's journal, and checks and repairs it.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import { openChecksum } from '../actors/journal/folder.js'
import { MillraceError, saidOf, systemCode } from '../protocol/errors.js'
import { systemClock } from '../runtime/clock.js'
import { loadConfig } from '../runtime/config/load.js'
import { loadCursors } from '../runtime/wal/cursor.js'
import { nodeFiles } from '../runtime/wal/files.js'
import { inspectFolder } from '../runtime/wal/inspect.js'
import { cursorBackend, segmentSeq } from '../runtime/wal/layout.js'
import { lockedError, lockFolder, lockHolder } from '../runtime/wal/lock.js'
import { acknowledgedEnd, missingBefore } from '../runtime/wal/missing.js'
import { repairFolder } from '../runtime/wal/repair.js'
import { walkFolder, type WalkOptions } from '../runtime/wal/walk.js'
import { configOption, jsonOption } from './options.js'
import { fsckText, type FsckResult, inspectionText } from './wal-text.js'

interface WalOptions {
  readonly config: string
  readonly dataDir?: string
  readonly json?: boolean
  readonly frames?: boolean
  readonly repair?: boolean
}

export function walCommand(): Command {
  const shared = (command: Command) =>
    command
      .addOption(configOption())
      .addOption(
        new Option(
          '--data-dir <folder>',
          "the node's data folder; default: node.data_dir of the configuration",
        ),
      )
      .addOption(jsonOption())
  return new Command('wal')
    .description('Shows and checks the journal of a node.')
    .addCommand(
      shared(new Command('inspect'))
        .description(
          'Shows segments, streams, positions and how far each backend is. Changes nothing; works while the node runs.',
        )
        .option('--frames', 'list every frame')
        .action(inspect),
    )
    .addCommand(
      shared(new Command('fsck'))
        .description(
          'Verifies every frame. Exits 1 when something is corrupt. Refuses while a node runs on the folder.',
        )
        .option(
          '--repair',
          'cut torn tails, rewrite segments without their corrupt places; whole frames are kept',
        )
        .action(fsck),
    )
}

interface Place extends WalkOptions {
  readonly dataDir: string
}

function place(options: WalOptions): Place {
  const dataDir = options.dataDir ?? loadConfig(options.config).config.node.data_dir
  const folder = join(dataDir, 'journal')
  demandJournal(dataDir, folder)
  const checksum = openChecksum()
  return { dataDir, folder, files: nodeFiles, verify: (frame) => checksum.verify(frame) === undefined }
}

/** A folder that can be listed, in which what should be a file is one. */
function demandJournal(dataDir: string, folder: string): void {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const isOurs = segmentSeq(entry.name) !== undefined || cursorBackend(entry.name) !== undefined
      if (!isOurs || !entry.isDirectory()) continue
      const text = `${join(folder, entry.name)} is a folder where a file of the journal should be; move it away`
      throw new MillraceError('journal.directory', text)
    }
  } catch (cause) {
    const code = systemCode(cause)
    if (cause instanceof MillraceError || code === undefined) throw cause
    const why =
      { ENOENT: 'does not exist', ENOTDIR: 'is no folder' }[code] ?? `can not be read: ${saidOf(cause)}`
    const text = `no journal in ${dataDir}: ${folder} ${why}; name the node's data folder with --data-dir or -c`
    throw new MillraceError('usage.data_dir', text, { cause })
  }
}

async function inspect(options: WalOptions): Promise<void> {
  const at = place(options)
  const holder = await lockHolder(at.folder, systemClock)
  const found = await inspectFolder({ ...at, withFrames: options.frames === true, runningPid: holder?.pid })
  print(options.json === true ? JSON.stringify(found) : inspectionText(found))
}

async function fsck(options: WalOptions): Promise<void> {
  const at = place(options)
  const result = options.repair === true ? await repair(at) : await check(at)
  print(options.json === true ? JSON.stringify(result) : fsckText(result))
  const left = options.repair === true ? [] : [...result.places, ...result.corruptCursors]
  if (left.length > 0) process.exitCode = 1
}

async function check(at: Place): Promise<FsckResult> {
  const holder = await lockHolder(at.folder, systemClock)
  if (holder !== undefined) throw lockedError(at.dataDir, holder)
  return (await look(at)).result
}

async function look(at: Place) {
  const cursors = await loadCursors(at.files, at.folder)
  const { segments } = await walkFolder({ ...at, acknowledged: acknowledgedEnd(cursors) })
  const before = missingBefore(at.folder, cursors, segments[0]?.firstSeq)
  const corruptCursors = cursors.filter(({ corrupt }) => corrupt).map(({ backend }) => backend)
  const result: FsckResult = {
    folder: at.folder,
    segments: segments.length,
    frames: segments.reduce((sum, { frames }) => sum + frames, 0),
    places: [...(before === undefined ? [] : [before]), ...segments.flatMap(({ places }) => places)],
    corruptCursors,
    repaired: [],
  }
  return { segments, result, before }
}

/** Holds the lock meanwhile: no node can start in the middle of a repair. */
async function repair(at: Place): Promise<FsckResult> {
  const lock = await lockFolder({ folder: at.folder, dataDir: at.dataDir, clock: systemClock, epoch: 0 })
  try {
    const { segments, result, before } = await look(at)
    const options = { ...at, nowMs: systemClock.now() }
    const repaired = await repairFolder(options, segments, result.corruptCursors, before)
    return { ...result, repaired }
  } finally {
    lock.release()
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
