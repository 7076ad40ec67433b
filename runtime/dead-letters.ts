// The dead letters of one backend: records it can never take, as NDJSON files with the reason, durable before they count as handled.
import { createReadStream } from 'node:fs'
import { open, readdir, stat, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { MillraceError } from '../protocol/errors.js'
import { makeFolder } from './make-folder.js'

/** Where a node keeps its dead letters: a folder each for its backends. */
export const lettersFolder = (dataDir: string): string => path.join(dataDir, 'dlq')

/** One line of a dead letter file, as JSON. */
export interface DeadLetter {
  readonly backend: string
  /** A short stable code. */
  readonly reason: string
  /** What the backend said. */
  readonly detail?: string
  /** ISO 8601. */
  readonly time: string
  /** Tries of the request that ended here; 0 for a record that was not even sent. */
  readonly tries: number
  readonly frame: string
  readonly n: number
  /** The canonical record. */
  readonly record: string
}

export interface DeadLetters {
  /**
   * Appends and fsyncs; a letter that is there already (same frame and n) is left out. Calls must not overlap.
   * Throws `dlq.full` at the size bound (nothing is given up: the caller waits), or the system's error; then nothing of this call counts.
   */
  put(letters: readonly DeadLetter[]): Promise<number>
  close(): Promise<void>
}

export interface DeadLettersOptions {
  /** `<data_dir>/dlq/<backend>`; made when the first letter comes. */
  readonly folder: string
  /** Bound of the whole folder. Default 1 GiB. */
  readonly bytesMax?: number
  readonly fileBytesMax?: number
}

const BYTES_MAX = 1024 ** 3
const FILE_BYTES_MAX = 64 * 1024 ** 2
/** How much of the newest file is read back to know what is in it; a redelivery after a crash is far smaller. */
const TAIL_BYTES = 16 * 1024 ** 2
const KEYS_MAX = 65_536
const NAME = /^\d{8}\.ndjson$/

const keyOf = (letter: { readonly frame: string; readonly n: number }): string =>
  `${letter.frame}-${letter.n}`

export function createDeadLetters(options: DeadLettersOptions): DeadLetters {
  const { folder, bytesMax = BYTES_MAX, fileBytesMax = FILE_BYTES_MAX } = options
  const keys = new Set<string>()
  let handle: FileHandle | undefined
  let number = 0
  let fileBytes = 0
  let allBytes = 0
  let ready = false

  function remember(key: string): void {
    keys.add(key)
    // Sets keep their order: the oldest key goes first.
    if (keys.size > KEYS_MAX) for (const oldest of keys) return void keys.delete(oldest)
  }

  const fileName = (n: number): string => path.join(folder, letterFile(n))

  /** Cuts a torn last line and reads back which letters are there. */
  async function recover(): Promise<void> {
    makeFolder(folder)
    const found = await letterFilesIn(folder)
    const names = found.files
    allBytes = 0
    for (const name of names) allBytes += (await stat(path.join(folder, name))).size
    number = names.length === 0 ? nextNumber(found) : numberOf(names.at(-1))
    for (const name of names.slice(-2, -1)) await readTail(path.join(folder, name), remember)
    handle = await open(fileName(number), 'a+')
    const tornBytes = await readTail(fileName(number), remember)
    fileBytes = (await handle.stat()).size - tornBytes
    allBytes -= tornBytes
    if (tornBytes > 0) await handle.truncate(fileBytes)
    await syncFolder(folder)
    await syncFolder(path.dirname(folder))
    ready = true
  }

  async function rotate(): Promise<void> {
    await handle?.close()
    const next = nextNumber(await letterFilesIn(folder))
    handle = await open(fileName(next), 'a')
    number = next
    fileBytes = 0
    await syncFolder(folder)
  }

  /** A command has begun the next file, and may rewrite this one at any moment. */
  async function isHandedOver(): Promise<boolean> {
    return numberOf((await letterFilesIn(folder)).files.at(-1)) > number
  }

  async function follow(): Promise<void> {
    ready = false
    await handle?.close()
    handle = undefined
    await recover()
  }

  /** True: the next file was begun meanwhile, and whoever rewrites this one may not have read the text. */
  async function append(text: Buffer): Promise<boolean> {
    let again: boolean
    try {
      await handle?.appendFile(text)
      await handle?.datasync()
      again = await isHandedOver()
    } catch (error) {
      // What is half written must not precede later letters.
      ready = false
      await handle?.truncate(fileBytes).catch(() => undefined)
      await handle?.close().catch(() => undefined)
      handle = undefined
      throw error
    }
    fileBytes += text.length
    allBytes += text.length
    return again
  }

  return {
    async put(letters) {
      if (!ready) await recover()
      else if (await isHandedOver()) await follow()
      const fresh = letters.filter((letter) => !keys.has(keyOf(letter)))
      if (fresh.length === 0) return 0
      const text = Buffer.from(fresh.map((letter) => `${JSON.stringify(letter)}\n`).join(''))
      if (allBytes + text.length > bytesMax) {
        const message = `dead letters in ${folder} have ${allBytes} of at most ${bytesMax} bytes; re-drive or delete them, delivery waits until then`
        ready = false
        await handle?.close()
        handle = undefined
        throw new MillraceError('dlq.full', message)
      }
      if (fileBytes > 0 && fileBytes + text.length > fileBytesMax) await rotate()
      // Twice is harmless: it is one letter by its id. Each turn takes one more command.
      while (await append(text)) await follow()
      for (const letter of fresh) remember(keyOf(letter))
      return fresh.length
    },
    async close() {
      ready = false
      await handle?.close()
      handle = undefined
    },
  }
}

export interface LetterFiles {
  /** Oldest first; a running writer appends to the last one. */
  readonly files: readonly string[]
  /** Named like one, but a folder or the like: nobody writes or reads there. */
  readonly strangers: readonly string[]
}

/** Throws the system's error. */
export async function letterFilesIn(folder: string): Promise<LetterFiles> {
  const entries = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => NAME.test(name))
  const names = (some: typeof entries): string[] => some.map(({ name }) => name).sort()
  return {
    files: names(entries.filter((entry) => entry.isFile())),
    strangers: names(entries.filter((entry) => !entry.isFile())),
  }
}

/** Of the file after the newest one. */
export function nextNumber({ files, strangers }: LetterFiles): number {
  let next = files.length === 0 ? 0 : numberOf(files.at(-1)) + 1
  while (strangers.includes(letterFile(next))) next++
  return next
}

export const letterFile = (n: number): string => `${String(n).padStart(8, '0')}.ndjson`
const numberOf = (name = ''): number => Number.parseInt(name, 10)

/** Reads the whole lines at the end of a file; returns the bytes of a torn last line. */
async function readTail(file: string, remember: (key: string) => void): Promise<number> {
  const handle = await open(file, 'r')
  try {
    const { size } = await handle.stat()
    const from = Math.max(0, size - TAIL_BYTES)
    const bytes = Buffer.alloc(size - from)
    await handle.read(bytes, 0, bytes.length, from)
    const end = bytes.lastIndexOf(0x0a) + 1
    const start = from === 0 ? 0 : bytes.indexOf(0x0a) + 1
    for (const line of bytes.toString('utf8', start, Math.max(start, end)).split('\n')) {
      const key = readKey(line)
      if (key !== undefined) remember(key)
    }
    return bytes.length - end
  } finally {
    await handle.close()
  }
}

function readKey(line: string): string | undefined {
  const letter = soundLetter(line)
  return letter === undefined ? undefined : keyOf(letter)
}

/** Undefined for a line that is no letter, such as the torn end of a crash: it never counted. */
export function soundLetter(line: string): DeadLetter | undefined {
  try {
    const letter = JSON.parse(line) as Partial<DeadLetter> | null
    const { frame, n, backend, record } = letter ?? {}
    const isSound =
      typeof frame === 'string' &&
      Number.isSafeInteger(n) &&
      typeof backend === 'string' &&
      typeof record === 'string'
    return isSound ? (letter as DeadLetter) : undefined
  } catch {
    return undefined
  }
}

export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Number of dead letters of all backends of a node. `folder` is `<data_dir>/dlq`; 0 when it does not exist. */
export async function deadLetterCount(folder: string): Promise<number> {
  const names: string[] = []
  try {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
      if (entry.isFile() && NAME.test(entry.name)) names.push(path.join(entry.parentPath, entry.name))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw error
  }
  let count = 0
  for (const name of names) {
    for await (const chunk of createReadStream(name) as AsyncIterable<Buffer>) {
      for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, at + 1)) count++
    }
  }
  return count
}
