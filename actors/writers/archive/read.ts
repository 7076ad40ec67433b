// Reads archive files back: members by the hours asked for, their records with the frame and number each one has.
import { open, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { inflateRawSync } from 'node:zlib'
import { systemCode } from '../../../protocol/errors.js'
import { folderOf } from './hour-file.js'
import { bodyOf, MEMBER_HEADER_BYTES_MAX, readMember } from './member.js'

export interface ArchivedRecord {
  readonly frame: string
  readonly n: number
  /** The canonical record. */
  readonly line: string
}

export interface ArchiveMember {
  readonly file: string
  /** Ids of the frames of which it holds records. */
  readonly frames: readonly string[]
  /** Unpacks. Lines that are no archived record are left out. */
  records(): ArchivedRecord[]
}

export interface ArchiveWalk {
  readonly root: string
  /** Hours that overlap with this span, ms since the epoch; both ends included. */
  readonly fromMs: number
  readonly toMs: number
  /** A file that does not read on: the rest of it is left out. */
  broken(file: string, offset: number): void
}

const HOUR_MS = 3_600_000
const FILE = /^(\d\d)\.(.+)\.(\d+)\.ndjson\.gz$/
const TAIL = /,"batch_id":"([^"]+)","rid":"([^"]+)-(\d+)"\}$/

/** Members of all nodes, oldest hour first. */
export async function* walkArchive(walk: ArchiveWalk): AsyncGenerator<ArchiveMember> {
  const lastHourMs = Math.floor(walk.toMs / HOUR_MS) * HOUR_MS
  for (let hourMs = Math.floor(walk.fromMs / HOUR_MS) * HOUR_MS; hourMs <= lastHourMs; hourMs += HOUR_MS) {
    const folder = folderOf(walk.root, hourMs)
    const hour = new Date(hourMs).toISOString().slice(11, 13)
    for (const name of await namesIn(folder))
      if (FILE.exec(name)?.[1] === hour) yield* membersOf(path.join(folder, name), walk)
  }
}

/** The oldest hour with files, ms since the epoch; undefined for an empty archive. */
export async function oldestHourMs(root: string): Promise<number | undefined> {
  let at = root
  const parts: string[] = []
  for (let depth = 0; depth < 3; depth++) {
    const [first] = (await namesIn(at)).filter((name) => /^\d{2,4}$/.test(name))
    if (first === undefined) return undefined
    parts.push(first)
    at = path.join(at, first)
  }
  const hours = (await namesIn(at)).flatMap((name) => FILE.exec(name)?.[1] ?? [])
  const ms = Date.parse(`${parts.join('-')}T${hours[0] ?? '00'}:00:00Z`)
  return Number.isNaN(ms) ? undefined : ms
}

async function* membersOf(file: string, walk: ArchiveWalk): AsyncGenerator<ArchiveMember> {
  const handle = await open(file, 'r')
  try {
    const { size } = await stat(file)
    const headBytes = Buffer.alloc(MEMBER_HEADER_BYTES_MAX)
    for (let at = 0; at < size; ) {
      const { bytesRead } = await handle.read(headBytes, 0, headBytes.length, at)
      const member = readMember(headBytes.subarray(0, bytesRead))
      // A running node may be in the middle of its last member.
      if (member === undefined || member.bytes <= 0 || at + member.bytes > size) return walk.broken(file, at)
      const bytes = Buffer.alloc(member.bytes)
      await handle.read(bytes, 0, bytes.length, at)
      const offset = at
      yield {
        file,
        frames: member.frames,
        records() {
          try {
            return recordsOf(inflateRawSync(bodyOf(bytes)).toString())
          } catch {
            walk.broken(file, offset)
            return []
          }
        },
      }
      at += member.bytes
    }
  } finally {
    await handle.close()
  }
}

function recordsOf(text: string): ArchivedRecord[] {
  return text.split('\n').flatMap((line) => {
    const match = TAIL.exec(line)
    if (match === null || match[1] !== match[2]) return []
    return [{ frame: match[1] as string, n: Number(match[3]), line: `${line.slice(0, match.index)}}` }]
  })
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort()
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return []
    throw error
  }
}
