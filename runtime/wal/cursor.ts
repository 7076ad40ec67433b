// A backend's cursor on disk: the seqs it has acknowledged and those it may have been sent, with a checksum, replaced as a whole.
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { readSmall, replaceFile, type WalFiles } from './files.js'
import { cursorBackend, cursorName } from './layout.js'
import type { SeqRange } from './seq-set.js'

/*
 * Two lines of text, to be read by people too: {"v":1,"backend":"es","done":[[0,4711],[4713,4720]],"sent":[[0,4736]]} and the crc32
 * of the first line in hex. A cursor that can't be read counts as empty: its backend gets again what the journal still holds, under
 * the same ids. Without `sent` (a cursor from before there was one) everything that is not done may have been sent.
 */
const CURSOR_BYTES_MAX = 4 * 1024 * 1024
/** More intervals than this are not saved: the highest are left out, and would be delivered once more after a crash. */
const RANGES_MAX = 65_536
/** More are merged into the last one: asking about a frame that was not sent does no harm. */
const SENT_RANGES_MAX = 1024

/** Seqs that are done, and seqs that may have been handed out. */
export interface Cursor {
  readonly done: readonly SeqRange[]
  readonly sent?: readonly SeqRange[] | undefined
}

export function encodeCursor(backend: string, { done, sent }: Cursor): Uint8Array {
  const line = JSON.stringify({ v: 1, backend, done: done.slice(0, RANGES_MAX), sent: sent && bounded(sent) })
  return Buffer.from(`${line}\n${crc32(line).toString(16).padStart(8, '0')}\n`)
}

function bounded(sent: readonly SeqRange[]): readonly SeqRange[] {
  const rest = sent[SENT_RANGES_MAX - 1]
  if (rest === undefined) return sent
  return [...sent.slice(0, SENT_RANGES_MAX - 1), [rest[0], sent.at(-1)?.[1] ?? rest[1]]]
}

function isRange(value: unknown): value is SeqRange {
  if (!Array.isArray(value) || value.length !== 2) return false
  const [from, to] = value as unknown[]
  return (
    Number.isSafeInteger(from) &&
    Number.isSafeInteger(to) &&
    (from as number) >= 0 &&
    (from as number) < (to as number)
  )
}

const areRanges = (value: unknown): value is SeqRange[] => Array.isArray(value) && value.every(isRange)

/** Undefined when the bytes are not a whole cursor of this backend. */
export function decodeCursor(backend: string, bytes: Uint8Array): Cursor | undefined {
  const match = /^(\{.*\})\n([0-9a-f]{8})\n?$/.exec(Buffer.from(bytes).toString('utf8'))
  if (match === null || crc32(match[1] as string) !== Number.parseInt(match[2] as string, 16))
    return undefined
  const value = JSON.parse(match[1] as string) as { [name in 'v' | 'backend' | 'done' | 'sent']?: unknown }
  const { v, done, sent } = value
  if (v !== 1 || value.backend !== backend || !areRanges(done)) return undefined
  return areRanges(sent) ? { done, sent } : { done }
}

export async function saveCursor(
  files: WalFiles,
  folder: string,
  backend: string,
  cursor: Cursor,
): Promise<void> {
  await replaceFile(files, join(folder, cursorName(backend)), [encodeCursor(backend, cursor)])
}

/** What a folder holds for one backend: its intervals, or that the file is unreadable. */
export interface LoadedCursor extends Cursor {
  readonly backend: string
  readonly corrupt: boolean
}

/** All cursors of a journal folder. Rejects only when the folder can't be listed. */
export async function loadCursors(files: WalFiles, folder: string): Promise<LoadedCursor[]> {
  const cursors: LoadedCursor[] = []
  for (const name of (await files.list(folder)).sort()) {
    const backend = cursorBackend(name)
    if (backend === undefined) continue
    const bytes = await readSmall(files, join(folder, name), CURSOR_BYTES_MAX).catch(() => new Uint8Array(0))
    const cursor = bytes === undefined ? undefined : decodeCursor(backend, bytes)
    cursors.push({ backend, done: [], ...cursor, corrupt: cursor === undefined })
  }
  return cursors
}
