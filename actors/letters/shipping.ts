// Takes the dead letters of a node's folder to the stream: a letter is out of the folder when the server has it, and not before.
import { createReadStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { systemCode } from '../../protocol/errors.js'
import { type DeadLetter, soundLetter } from '../../runtime/dead-letters.js'
import {
  compact,
  filesOf,
  foldersOf,
  forgetRemoved,
  letterId,
  noteRemoved,
  removedOf,
} from '../../runtime/letter-store.js'

/*
 * The newest file of a folder belongs to a writer, which appends. What was put into the stream of it is noted in the list of removed
 * letters, batch by batch, and so is that of older files, which are deleted when all of them is out. A crash between the server's word
 * and the note has letters put again, on the same subjects.
 */
export interface Shipping {
  /** All that is there now. Resolves to the number of letters; rejects with the first that was refused. */
  run(put: (letter: DeadLetter) => Promise<void>): Promise<number>
  /** Whether files have changed since the last run that went through. */
  isDue(): Promise<boolean>
}

export interface ShippingOptions {
  /** `<data_dir>/dlq`. */
  readonly root: string
  /** So many letters have left the folder of this backend. */
  shipped(folder: string, letters: number): void
}

const BATCH_LETTERS = 256
const BATCH_BYTES = 4 * 1024 ** 2

interface Batch {
  readonly letters: DeadLetter[]
  /** Where the next one begins, bytes into the file. */
  end: number
}

export function createShipping({ root, shipped }: ShippingOptions): Shipping {
  /**
   * How far the newest file of a folder is out, bytes: the only one that no command rewrites, it begins another one first. Forgotten with this
   * life: then the list of removed letters tells.
   */
  const passed = new Map<string, { readonly file: string; readonly bytes: number; readonly seen: string }>()
  const swept = new Set<string>()

  const passedOf = (folder: string, file: string): number => {
    const known = passed.get(folder)
    return known?.file === file ? known.bytes : 0
  }

  /** Adds the ids of all letters of an older file to `ids`. */
  async function shipFile(
    folder: string,
    file: string,
    put: (letter: DeadLetter) => Promise<void>,
    ids?: Set<string>,
  ): Promise<number> {
    const name = path.join(root, folder, file)
    const { size, seen } = await sizeOf(name)
    const known = ids === undefined ? passedOf(folder, file) : 0
    // A write that failed was cut off again.
    const from = known > size ? 0 : known
    if (size === from) return 0
    const gone = await removedOf(path.join(root, folder))
    let letters = 0
    for await (const batch of batchesOf(name, from, size)) {
      const fresh = batch.letters.filter((letter) => !gone.has(letterId(letter)))
      await allPut(fresh.map(put))
      await noteRemoved(path.join(root, folder), fresh.map(letterId))
      if (ids === undefined) passed.set(folder, { file, bytes: batch.end, seen: '' })
      else for (const letter of batch.letters) ids.add(letterId(letter))
      letters += fresh.length
      if (fresh.length > 0) shipped(folder, fresh.length)
    }
    // Half a line at its end is looked at again when the file has changed.
    if (ids === undefined) passed.set(folder, { file, bytes: passedOf(folder, file), seen })
    return letters
  }

  async function shipFolder(folder: string, put: (letter: DeadLetter) => Promise<void>): Promise<number> {
    const at = path.join(root, folder)
    // What a crash between a file's deletion and the end of its ids has left in the list.
    if (!swept.has(folder)) await compact(at)
    swept.add(folder)
    let letters = 0
    const files = [...(await filesOf(at))]
    const newest = files.pop()
    for (const file of files) {
      const ids = new Set<string>()
      letters += await shipFile(folder, file, put, ids)
      // Torn bytes at its end never counted.
      await rm(path.join(at, file))
      await forgetRemoved(at, ids)
    }
    if (newest !== undefined) letters += await shipFile(folder, newest, put)
    return letters
  }

  return {
    async run(put) {
      let letters = 0
      for (const folder of await foldersOf(root)) letters += await shipFolder(folder, put)
      return letters
    },
    async isDue() {
      for (const folder of await foldersOf(root)) {
        const files = await filesOf(path.join(root, folder))
        if (files.length > 1) return true
        for (const file of files) {
          const { size, seen } = await sizeOf(path.join(root, folder, file))
          if (size !== passedOf(folder, file) && seen !== passed.get(folder)?.seen) return true
        }
      }
      return false
    },
  }
}

/** Of the last is known before the first refusal is told: none may arrive when the lock is somebody else's. */
async function allPut(puts: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(puts)) if (result.status === 'rejected') throw result.reason
}

/** Bytes, 0 for a file that is gone, and what changes when it does. */
async function sizeOf(name: string): Promise<{ readonly size: number; readonly seen: string }> {
  try {
    const { size, mtimeMs } = await stat(name)
    return { size, seen: `${name} ${size} ${mtimeMs}` }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return { size: 0, seen: '' }
    throw error
  }
}

/** Whole lines only. */
async function* batchesOf(name: string, from: number, size: number): AsyncGenerator<Batch> {
  let rest: Buffer = Buffer.alloc(0)
  let batch: Batch = { letters: [], end: from }
  let bytes = 0
  for await (const chunk of createReadStream(name, { start: from, end: size - 1 }) as AsyncIterable<Buffer>) {
    const read = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    for (let end = read.indexOf(0x0a); end >= 0; end = read.indexOf(0x0a, at)) {
      const letter = soundLetter(read.toString('utf8', at, end))
      if (letter !== undefined) batch.letters.push(letter)
      batch.end += end + 1 - at
      bytes += end + 1 - at
      at = end + 1
      if (batch.letters.length < BATCH_LETTERS && bytes < BATCH_BYTES) continue
      yield batch
      batch = { letters: [], end: batch.end }
      bytes = 0
    }
    rest = read.subarray(at)
  }
  if (bytes > 0) yield batch
}
