// One hour's archive file of this node: knows which frames are in it, cuts a torn end, appends members durably.
import { type FileHandle, open, readdir } from 'node:fs/promises'
import path from 'node:path'
import { makeFolder } from '../../../runtime/make-folder.js'
import { isWhole, MEMBER_HEADER_BYTES_MAX, readMember } from './member.js'

export interface HourFile {
  /** Whether this frame's records of the hour are in the file already. */
  has(frame: string): boolean
  /** Appends a member and fsyncs. After an error the file is cut back to where it was, and opened anew for the next append. */
  append(member: Buffer, frames: readonly string[]): Promise<void>
}

/** A file is continued in the next number beyond this. */
const FILE_BYTES_MAX = 1024 ** 3
/** Newest frames that are remembered of a file: what can be delivered again after a crash is far less. */
const FRAMES_MAX = 65_536

/** `<root>/<YYYY>/<MM>/<DD>`, from ms since the epoch at the start of an hour. */
export function folderOf(root: string, hourMs: number): string {
  const [year = '', month = '', day = ''] = new Date(hourMs).toISOString().slice(0, 10).split('-')
  return path.join(root, year, month, day)
}

function nameOf(hourMs: number, node: string, number: number): string {
  return `${new Date(hourMs).toISOString().slice(11, 13)}.${node}.${number}.ndjson.gz`
}

/** Opens lazily: the first question reads what is there. Calls must not overlap. */
export async function openHourFile(root: string, hourMs: number, node: string): Promise<HourFile> {
  const folder = folderOf(root, hourMs)
  await makeFolders(root, folder)
  const frames = new Set<string>()
  let number = await newestNumber(folder, hourMs, node)
  let good: number | undefined = await recover(file(), frames)

  function file(): string {
    return path.join(folder, nameOf(hourMs, node, number))
  }
  function remember(ids: readonly string[]): void {
    for (const id of ids) frames.add(id)
    for (const oldest of frames) {
      if (frames.size <= FRAMES_MAX) return
      frames.delete(oldest)
    }
  }

  return {
    has: (frame) => frames.has(frame),
    async append(member, ids) {
      good ??= await recover(file(), frames)
      // What does not read as a file of ours to its end is left as it is.
      if (good === UNREADABLE || good + member.length > FILE_BYTES_MAX) {
        number++
        good = 0
      }
      const at = good
      good = undefined
      await appendDurably(file(), member, at)
      good = at + member.length
      remember(ids)
    },
  }
}

async function appendDurably(file: string, member: Buffer, at: number): Promise<void> {
  const handle = await open(file, at === 0 ? 'w' : 'r+')
  try {
    await handle.write(member, 0, member.length, at)
    await handle.datasync()
  } catch (error) {
    await handle.truncate(at).catch(() => undefined)
    throw error
  } finally {
    await handle.close()
  }
  if (at === 0) await syncFolder(path.dirname(file))
}

const UNREADABLE = -1

/** Walks the members; cuts a torn last one. Returns the good length, or UNREADABLE. */
async function recover(file: string, frames: Set<string>): Promise<number> {
  let handle: FileHandle
  try {
    handle = await open(file, 'r+')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw error
  }
  try {
    const { size } = await handle.stat()
    let at = 0
    let lastAt = 0
    let last: readonly string[] = []
    while (at < size) {
      const member = readMember(await readAt(handle, at, Math.min(MEMBER_HEADER_BYTES_MAX, size - at)))
      // A header that is not there with much behind it is no torn append: somebody else wrote here.
      if (member === undefined && size - at > MEMBER_HEADER_BYTES_MAX) return UNREADABLE
      // Another member follows, so this one was synced before that one was begun.
      for (const id of last) frames.add(id)
      if (member === undefined || at + member.bytes > size) return await cut(handle, at)
      last = member.frames
      lastAt = at
      at += member.bytes
    }
    if (size > 0 && !isWhole(await readAt(handle, lastAt, at - lastAt))) return await cut(handle, lastAt)
    for (const id of last) frames.add(id)
    return at
  } finally {
    await handle.close()
  }
}

async function cut(handle: FileHandle, at: number): Promise<number> {
  await handle.truncate(at)
  await handle.sync()
  return at
}

async function readAt(handle: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  const { bytesRead } = await handle.read(bytes, 0, length, at)
  return bytes.subarray(0, bytesRead)
}

async function newestNumber(folder: string, hourMs: number, node: string): Promise<number> {
  const [before = '', after = ''] = nameOf(hourMs, node, 0).split(`${node}.0`)
  const numbers = (await readdir(folder)).flatMap((name) => {
    if (!name.startsWith(`${before}${node}.`) || !name.endsWith(after)) return []
    const number = Number(name.slice(before.length + node.length + 1, -after.length))
    return Number.isInteger(number) ? [number] : []
  })
  return Math.max(0, ...numbers)
}

/** Makes the folders and makes their entries durable. */
async function makeFolders(root: string, folder: string): Promise<void> {
  const made = makeFolder(folder)
  if (made === undefined) return
  for (let at = folder; at.startsWith(path.dirname(made)); at = path.dirname(at)) {
    await syncFolder(at)
    if (at === path.dirname(made) || at === path.dirname(root)) return
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
