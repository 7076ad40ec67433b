// File identity: device, inode and a hash of the first bytes, because inodes are reused.
import { createHash } from 'node:crypto'
import { closeSync, openSync, constants as open, readSync } from 'node:fs'
import { gunzipSync, constants } from 'node:zlib'
import { systemCode } from '../../../protocol/errors.js'
import type { FileIdentity } from '../../../protocol/positions.js'

/** As many first bytes as the hash covers at most. */
export const HEAD_BYTES_MAX = 1024

/** 128 bits of SHA-256, hex. */
export function hashOf(head: Uint8Array): string {
  return createHash('sha256').update(head).digest('hex').slice(0, 32)
}

/** The first bytes of an open file, at most `HEAD_BYTES_MAX`; fewer while it is short. */
export function readHead(fd: number, bytes = HEAD_BYTES_MAX): Uint8Array {
  const head = Buffer.allocUnsafe(bytes)
  return head.subarray(0, readSync(fd, head, 0, bytes, 0))
}

/** Of a file by its path, decompressed; undefined when it cannot be read now. */
export function readHeadAt({
  path,
  gz,
}: {
  readonly path: string
  readonly gz: boolean
}): Uint8Array | undefined {
  let fd = -1
  try {
    fd = openSync(path, open.O_RDONLY | open.O_NONBLOCK)
    return gz ? readGzHead(fd) : readHead(fd)
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    return undefined
  } finally {
    if (fd >= 0) closeSync(fd)
  }
}

/** The first decompressed bytes of an open gzip file; undefined when it is not one, or not even its beginning can be read. */
export function readGzHead(fd: number): Uint8Array | undefined {
  // Stored blocks do not shrink: the compressed bytes of 1,024 decompressed ones are at most a little more, and the header may hold a name.
  const packed = readHead(fd, 8 * HEAD_BYTES_MAX)
  if (packed.length < 18 || packed[0] !== 0x1f || packed[1] !== 0x8b) return undefined
  try {
    const head = gunzipSync(packed, { finishFlush: constants.Z_SYNC_FLUSH })
    return head.length === 0 ? undefined : head.subarray(0, HEAD_BYTES_MAX)
  } catch {
    // Corrupt from the start: the reader counts it.
    return undefined
  }
}

export function identityOf(dev: number, ino: number, head: Uint8Array): FileIdentity {
  return { dev, ino, headBytes: head.length, headHash: hashOf(head) }
}

/** Whether a file that begins with `head` is the one with this identity, as far as its hash tells. */
export function headMatches(identity: FileIdentity, head: Uint8Array): boolean {
  return (
    identity.headBytes <= head.length && hashOf(head.subarray(0, identity.headBytes)) === identity.headHash
  )
}

/** The position's key: stable while the file lives, even when its identity grows. */
export function keyOf(identity: FileIdentity): string {
  return `${identity.dev}:${identity.ino}:${identity.headHash}`
}

/** Device and inode: unique among files that exist at the same time. */
export function inodeOf(file: { readonly dev: number; readonly ino: number }): string {
  return `${file.dev}:${file.ino}`
}
