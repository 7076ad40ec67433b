// Damage to the journal of a dead node, as a torn write or a rotten disk would leave it; tells which records it spoiled.
import {
  appendFileSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { openChecksum } from '../../actors/journal/folder.js'
import { createKernel } from '../../kernel/kernel.js'
import { systemCode } from '../../protocol/errors.js'
import { createFrameCodec, frameCodecBytes } from '../../runtime/frame-codec.js'
import { nodeFiles } from '../../runtime/wal/files.js'
import { ENVELOPE_BYTES, encodeEnvelope, segmentSalt, segmentSeq } from '../../runtime/wal/layout.js'
import { type WalkedFrame, walkFolder } from '../../runtime/wal/walk.js'
import { keyOf, type Key } from './oracle.js'
import type { Surgery } from './plan.js'

export interface Damage {
  readonly done: string
  readonly spoiled: readonly Key[]
}

const RAW_BYTES_MAX = 8 * 1024 * 1024
const MODULE_BYTES = 6 * 1024 * 1024
const nothing = (why: string): Damage => ({ done: `nothing (${why})`, spoiled: [] })

/** The node must be dead. `random` chooses the place. */
export async function operate(dataDir: string, surgery: Surgery, random: () => number): Promise<Damage> {
  const folder = join(dataDir, 'journal')
  if (surgery === 'none' || !existsSync(folder)) return nothing('none asked for')
  if (surgery === 'cursor') return flipCursor(folder, random)
  const frames: WalkedFrame[] = []
  const checksum = openChecksum()
  const verify = (frame: Uint8Array) => checksum.verify(frame) === undefined
  const { segments } = await walkFolder({
    folder,
    files: nodeFiles,
    verify,
    frame: (found) => frames.push(found),
  })
  const last = segments.at(-1)
  if (last === undefined) return nothing('no segment')
  if (surgery === 'torn' || surgery === 'zeros') return tear(folder, surgery, frames, last, random)
  if (surgery === 'flip') return flipFrame(folder, frames, random)
  // The newest segment's header or positions: the segment before has them too, with its frames.
  if (segments.length < 2) return nothing('one segment only')
  const first = frames.find(({ segment }) => segment === last.name)
  return flipAt(folder, last.name, Math.floor(random() * (first?.offset ?? 40)), [])
}

/** What an append leaves behind that did not reach the disk whole: the beginning of an entry, or room that was never filled. */
function tear(
  folder: string,
  surgery: 'torn' | 'zeros',
  frames: readonly WalkedFrame[],
  last: { name: string; endSeq: number },
  random: () => number,
): Damage {
  const path = join(folder, last.name)
  const model = frames.at(-1)
  if (surgery === 'zeros' || model === undefined) {
    const bytes = 1 + Math.floor(random() * 20_000)
    if (!appended(path, Buffer.alloc(bytes))) return nothing('the disk is full')
    return { done: `${bytes} zeros behind ${last.name}`, spoiled: [] }
  }
  const entry = readEntry(folder, model)
  entry.set(encodeEnvelope(last.endSeq, segmentSalt(segmentSeq(last.name) ?? 0)), 0)
  const bytes = 1 + Math.floor(random() * (entry.length - 1))
  if (!appended(path, entry.subarray(0, bytes))) return nothing('the disk is full')
  return { done: `${bytes} of ${entry.length} bytes of a frame behind ${last.name}`, spoiled: [] }
}

/** False when the disk, which another fault may have filled, took nothing or only a part: that is a torn end as well. */
function appended(path: string, bytes: Uint8Array): boolean {
  try {
    appendFileSync(path, bytes)
    return true
  } catch (error) {
    if (systemCode(error) === 'ENOSPC') return false
    throw error
  }
}

function flipFrame(folder: string, frames: readonly WalkedFrame[], random: () => number): Damage {
  const frame = frames[Math.floor(random() * frames.length)]
  if (frame === undefined) return nothing('no frame')
  const at = frame.offset + Math.floor(random() * frame.bytes)
  // A broken envelope is told from its neighbours: its frame stays whole.
  const inFrame = at >= frame.offset + ENVELOPE_BYTES
  return flipAt(folder, frame.segment, at, inFrame ? keysOf(readEntry(folder, frame)) : [])
}

function flipAt(folder: string, name: string, at: number, spoiled: readonly Key[]): Damage {
  const fd = openSync(join(folder, name), 'r+')
  try {
    const byte = Buffer.alloc(1)
    readSync(fd, byte, 0, 1, at)
    byte[0] = (byte[0] ?? 0) ^ (1 << (at % 8))
    writeSync(fd, byte, 0, 1, at)
  } finally {
    closeSync(fd)
  }
  return { done: `a bit at ${at} of ${name}, ${spoiled.length} records spoiled`, spoiled }
}

function flipCursor(folder: string, random: () => number): Damage {
  const names = readdirSync(folder).filter((name) => name.endsWith('.cursor'))
  const name = names[Math.floor(random() * names.length)]
  if (name === undefined) return nothing('no cursor')
  const bytes = readFileSync(join(folder, name)).length
  return bytes === 0 ? nothing('empty cursor') : flipAt(folder, name, Math.floor(random() * bytes), [])
}

function readEntry(folder: string, { segment, offset, bytes }: WalkedFrame): Buffer {
  const entry = Buffer.alloc(bytes)
  const fd = openSync(join(folder, segment), 'r')
  try {
    readSync(fd, entry, 0, bytes, offset)
  } finally {
    closeSync(fd)
  }
  return entry
}

/** The records of a whole entry. */
export function keysOf(entry: Uint8Array): Key[] {
  const options = { rawBytesMax: RAW_BYTES_MAX }
  const kernel = createKernel({ memoryBytes: MODULE_BYTES + frameCodecBytes(options) })
  const { header, raw } = createFrameCodec(kernel, options).open(entry.subarray(ENVELOPE_BYTES))
  const lines = Buffer.from(raw.subarray(0, header.ndjsonBytes)).toString().split('\n')
  return lines.flatMap((line) => keyOf(line) ?? [])
}
