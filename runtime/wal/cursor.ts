// A backend's cursor on disk: the seqs it has acknowledged, with a checksum, replaced as a whole.
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { readSmall, replaceFile, type WalFiles } from './files.js'
import { cursorBackend, cursorName } from './layout.js'
import type { SeqRange } from './seq-set.js'

/*
 * Two lines of text, to be read by people too: {"v":1,"backend":"es","done":[[0,4711],[4713,4720]]} and the crc32 of the first line
 * in hex. A cursor that can't be read counts as empty: its backend gets again what the journal still holds, under the same ids.
 */
const CURSOR_BYTES_MAX = 4 * 1024 * 1024
/** More intervals than this are not saved: the highest are left out, and would be delivered once more after a crash. */
const RANGES_MAX = 65_536

export function encodeCursor(backend: string, done: readonly SeqRange[]): Uint8Array {
  const line = JSON.stringify({ v: 1, backend, done: done.slice(0, RANGES_MAX) })
  return Buffer.from(`${line}\n${crc32(line).toString(16).padStart(8, '0')}\n`)
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

/** The done intervals; undefined when the bytes are not a whole cursor of this backend. */
export function decodeCursor(backend: string, bytes: Uint8Array): SeqRange[] | undefined {
  const match = /^(\{.*\})\n([0-9a-f]{8})\n?$/.exec(Buffer.from(bytes).toString('utf8'))
  if (match === null || crc32(match[1] as string) !== Number.parseInt(match[2] as string, 16))
    return undefined
  const value = JSON.parse(match[1] as string) as { v?: unknown; backend?: unknown; done?: unknown }
  if (value.v !== 1 || value.backend !== backend || !Array.isArray(value.done) || !value.done.every(isRange))
    return undefined
  return value.done
}

export async function saveCursor(
  files: WalFiles,
  folder: string,
  backend: string,
  done: readonly SeqRange[],
): Promise<void> {
  await replaceFile(files, join(folder, cursorName(backend)), [encodeCursor(backend, done)])
}

/** What a folder holds for one backend: its intervals, or that the file is unreadable. */
export interface LoadedCursor {
  readonly backend: string
  readonly done: readonly SeqRange[]
  readonly corrupt: boolean
}

/** All cursors of a journal folder. Rejects only when the folder can't be listed. */
export async function loadCursors(files: WalFiles, folder: string): Promise<LoadedCursor[]> {
  const cursors: LoadedCursor[] = []
  for (const name of (await files.list(folder)).sort()) {
    const backend = cursorBackend(name)
    if (backend === undefined) continue
    const bytes = await readSmall(files, join(folder, name), CURSOR_BYTES_MAX).catch(() => new Uint8Array(0))
    const done = bytes === undefined ? undefined : decodeCursor(backend, bytes)
    cursors.push({ backend, done: done ?? [], corrupt: done === undefined })
  }
  return cursors
}
