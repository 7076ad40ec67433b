// Reads a file to its end in pieces of whole lines; gzip is told by its first bytes, whatever the name says.
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { MillraceError, systemCode } from '../../protocol/errors.js'

export interface ReadFaults {
  /** The file is corrupt or cut off: what came before it was read. */
  broken(path: string, problem: string): void
}

const READ_BYTES = 256 * 1024
/** No configuration takes a longer line (records.line_bytes_max); of one that is, so much is handed on, and cut there. */
const LINE_BYTES_MAX = 8 * 1024 * 1024
const NEWLINE = 10

/** Only the last piece may end without a line break. Throws `usage.from` when the file cannot be read at all. */
export async function* wholeLines(path: string, faults: ReadFaults): AsyncGenerator<Buffer> {
  let stream: Readable | undefined
  let rest: Buffer = Buffer.alloc(0)
  let passing = false
  try {
    const gzip = await isGzip(path)
    const file = createReadStream(path, { highWaterMark: READ_BYTES })
    stream = gzip ? file.pipe(createGunzip({ chunkSize: READ_BYTES })) : file
    if (gzip) file.on('error', (error) => stream?.destroy(error))
    for await (const read of stream) {
      let chunk = read as Buffer
      if (passing) {
        const newline = chunk.indexOf(NEWLINE)
        if (newline < 0) continue
        passing = false
        chunk = chunk.subarray(newline)
      }
      const end = chunk.lastIndexOf(NEWLINE) + 1
      if (end > 0) {
        yield rest.length === 0 ? chunk.subarray(0, end) : Buffer.concat([rest, chunk.subarray(0, end)])
        rest = Buffer.from(chunk.subarray(end))
      } else rest = Buffer.concat([rest, chunk])
      passing = rest.length > LINE_BYTES_MAX
    }
  } catch (error) {
    if (error instanceof MillraceError) throw error
    const code = systemCode(error) ?? String(error)
    // zlib's codes; those of the file system mean that nothing can be read.
    if (!code.startsWith('Z_')) throw unreadable(path, error)
    // What is left is no whole line.
    rest = Buffer.alloc(0)
    faults.broken(path, code === 'Z_BUF_ERROR' ? 'is cut off' : 'is corrupt')
  } finally {
    stream?.destroy()
  }
  if (rest.length > 0) yield rest
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0)
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b
  } finally {
    await file.close()
  }
}

export function unreadable(path: string, error: unknown): MillraceError {
  const code = systemCode(error)
  const problem = code === 'ENOENT' ? 'does not exist' : `can not be read (${code ?? String(error)})`
  return new MillraceError('usage.from', `--from: ${path} ${problem}`, { cause: error })
}
