// Gzip members that say what they hold: an extra field names the member's length and the frames in it, so that a file can be walked.
import { promisify } from 'node:util'
import { crc32, deflateRaw, inflateRawSync } from 'node:zlib'

/** One member: a complete gzip stream (RFC 1952); a file of several is one gzip file to every tool. */
export interface Member {
  readonly bytes: number
  readonly frames: readonly string[]
}

const HEADER_BYTES = 12
const TRAILER_BYTES = 8
const DEFLATE = 8
const FEXTRA = 4
const UNIX = 3
/** Subfield `MR` (RFC 1952 §2.3.1.1): u32 length of the whole member, then the frame ids, separated by spaces. */
const SUBFIELD = 0x524d
const EXTRA_BYTES_MAX = 65_535
/** Frame ids that surely fit (an id has 21 bytes). */
export const MEMBER_FRAMES_MAX = 2500

const deflate = promisify(deflateRaw)

/** `text` as one member. Throws a RangeError for more frames than the extra field holds. */
export async function encodeMember(text: Buffer, frames: readonly string[], level: number): Promise<Buffer> {
  const ids = Buffer.from(frames.join(' '))
  const extraBytes = 4 + 4 + ids.length
  if (extraBytes > EXTRA_BYTES_MAX) throw new RangeError(`${frames.length} frames do not fit a gzip member`)
  const body = (await deflate(text, { level })) as Buffer
  const member = Buffer.alloc(HEADER_BYTES + extraBytes + body.length + TRAILER_BYTES)
  member.set([0x1f, 0x8b, DEFLATE, FEXTRA, 0, 0, 0, 0, 0, UNIX])
  member.writeUInt16LE(extraBytes, 10)
  member.writeUInt16LE(SUBFIELD, 12)
  member.writeUInt16LE(4 + ids.length, 14)
  member.writeUInt32LE(member.length, 16)
  member.set(ids, 20)
  member.set(body, HEADER_BYTES + extraBytes)
  member.writeUInt32LE(crc32(text), member.length - 8)
  member.writeUInt32LE(text.length >>> 0, member.length - 4)
  return member
}

/** Bytes from a member's start that surely hold its header. */
export const MEMBER_HEADER_BYTES_MAX = HEADER_BYTES + EXTRA_BYTES_MAX

/** Reads a member's header; undefined where none begins. */
export function readMember(bytes: Buffer): Member | undefined {
  if (bytes.length < HEADER_BYTES + 8) return undefined
  const ours =
    bytes.readUInt32LE(0) === (0x1f | (0x8b << 8) | (DEFLATE << 16) | (FEXTRA << 24)) &&
    bytes.readUInt16LE(12) === SUBFIELD
  if (!ours) return undefined
  const idsBytes = bytes.readUInt16LE(14) - 4
  if (idsBytes < 0 || bytes.length < 20 + idsBytes) return undefined
  const ids = bytes.toString('utf8', 20, 20 + idsBytes)
  return { bytes: bytes.readUInt32LE(16), frames: ids === '' ? [] : ids.split(' ') }
}

/** The deflated part of a whole member. */
export function bodyOf(member: Buffer): Buffer {
  return member.subarray(HEADER_BYTES + member.readUInt16LE(10), member.length - TRAILER_BYTES)
}

/** Whether a member is whole: after a power cut its length can be there and its content not. */
export function isWhole(member: Buffer): boolean {
  try {
    const text = inflateRawSync(bodyOf(member))
    return crc32(text) === member.readUInt32LE(member.length - 8)
  } catch {
    return false
  }
}
