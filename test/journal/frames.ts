// Frames, positions and a checksum for the journal's tests, made without the kernel.
import {
  encodeFrameHeader,
  FRAME_CRC_FROM,
  FRAME_PREFIX_BYTES,
  type FrameHeader,
  writeFramePrefix,
} from '../../protocol/frame.js'
import type { FilePosition } from '../../protocol/positions.js'
import type { FrameChecksum } from '../../runtime/frame-checksum.js'
import { checkPrefix } from '../../runtime/frame-checksum.js'

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let crc = n
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  return crc >>> 0
})

function crc32c(bytes: Uint8Array, seed = 0): number {
  let crc = ~seed
  for (const byte of bytes) crc = (TABLE[(crc ^ byte) & 255] as number) ^ (crc >>> 8)
  return ~crc >>> 0
}

export const checksum: FrameChecksum = {
  crc32c,
  verify(bytes) {
    const prefix = checkPrefix(bytes)
    if (typeof prefix === 'string') return prefix
    return crc32c(bytes.subarray(FRAME_CRC_FROM)) === prefix.crc ? undefined : 'frame.crc'
  },
}

export const verify = (frame: Uint8Array): boolean => checksum.verify(frame) === undefined

export interface TestFrame {
  readonly encoded: Uint8Array
  readonly raw: Uint8Array
  readonly header: FrameHeader
  readonly madeMs: number
  readonly positions: readonly FilePosition[]
}

export function position(key: string, offset: number, more: Partial<FilePosition> = {}): FilePosition {
  const identity = { dev: 1, ino: 2, headBytes: 3, headHash: 'abc' }
  return { kind: 'file', source: 'pods', key, path: `/var/log/pods/${key}.log`, identity, offset, ...more }
}

/** An uncompressed frame whose records are the lines. */
export function frame(
  id: string,
  lines: readonly string[] = [`{"message":"${id}"}`],
  positions: readonly FilePosition[] = [],
  madeMs = 1_000_000,
): TestFrame {
  const ndjson = Buffer.from(lines.map((line) => `${line}\n`).join(''))
  const indexAt = (ndjson.length + 7) & ~7
  const raw = new Uint8Array(indexAt + lines.length * 32)
  raw.set(ndjson)
  const view = new DataView(raw.buffer)
  let offset = 0
  for (const [n, line] of lines.entries()) {
    const at = indexAt + n * 32
    const length = Buffer.byteLength(line)
    view.setBigInt64(at, BigInt(madeMs) * 1_000_000n + BigInt(n), true)
    view.setUint32(at + 8, offset, true)
    view.setUint32(at + 12, length, true)
    view.setFloat32(at + 20, 1, true)
    offset += length + 1
  }
  const stream = { service_name: 's', namespace: 'n', cluster_id: 'c', log_level: 'INFO', log_type: 'app' }
  const header: FrameHeader = {
    v: 1,
    id,
    node: 'test',
    madeMs,
    count: lines.length,
    codec: 0,
    ndjsonBytes: ndjson.length,
    streams: lines.length === 0 ? [] : [stream],
    positions,
    minTsMs: lines.length === 0 ? 0 : madeMs,
    maxTsMs: lines.length === 0 ? 0 : madeMs,
  }
  return { encoded: encode(header, raw), raw, header, madeMs, positions }
}

function encode(header: FrameHeader, raw: Uint8Array): Uint8Array {
  const head = encodeFrameHeader(header)
  const encoded = new Uint8Array(FRAME_PREFIX_BYTES + head.length + raw.length)
  encoded.set(head, FRAME_PREFIX_BYTES)
  encoded.set(raw, FRAME_PREFIX_BYTES + head.length)
  const view = new DataView(encoded.buffer)
  const lengths = { totalBytes: encoded.length, headerBytes: head.length, rawBytes: raw.length }
  writeFramePrefix(view, 0, { ...lengths, crc: 0 })
  writeFramePrefix(view, 0, { ...lengths, crc: crc32c(encoded.subarray(FRAME_CRC_FROM)) })
  return encoded
}
