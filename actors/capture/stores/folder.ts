// Captures in a folder: written beside and renamed, so that a reader never sees half of one.
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { FolderStoreOptions } from '../../../protocol/config/capture.js'
import { systemCode } from '../../../protocol/errors.js'
import { makeFolder } from '../../../runtime/make-folder.js'
import { isCaptureKey } from '../name.js'
import type { CaptureStore, StoredCapture } from '../store.js'
import { storeFault } from './fault.js'

export function folderStore(
  { path: folder, bytes_max: bytesMax }: FolderStoreOptions,
  onRemoved: (key: string) => void,
): CaptureStore {
  async function listAll(): Promise<StoredCapture[]> {
    const found: StoredCapture[] = []
    for (const name of await readdir(folder, { recursive: true })) {
      if (!isCaptureKey(name)) continue
      // Another node may clear the same folder.
      const file = await stat(join(folder, name)).catch(() => undefined)
      if (file !== undefined)
        found.push({ key: name, bytes: file.size, storedAtMs: Math.round(file.mtimeMs) })
    }
    return found.sort((a, b) => b.storedAtMs - a.storedAtMs)
  }

  /** The oldest go; `key` itself stays, whatever its size. */
  async function keepBound(key: string): Promise<void> {
    let total = 0
    for (const capture of await listAll()) {
      total += capture.bytes
      if (total <= bytesMax || capture.key === key) continue
      await rm(join(folder, capture.key), { force: true })
      onRemoved(capture.key)
    }
  }

  return {
    place: folder,
    async put(key, bytes) {
      try {
        await writeWhole(join(folder, key), bytes)
        await keepBound(key)
      } catch (error) {
        throw storeFault(folder, `take ${key}`, error)
      }
    },
    async list(max) {
      try {
        return (await listAll()).slice(0, max)
      } catch (error) {
        if (systemCode(error) === 'ENOENT') return []
        throw storeFault(folder, 'list its captures', error)
      }
    },
    async get(key) {
      if (!isCaptureKey(key)) return undefined
      try {
        return await readFile(join(folder, key))
      } catch (error) {
        if (systemCode(error) === 'ENOENT') return undefined
        throw storeFault(folder, `give ${key}`, error)
      }
    },
    close: async () => undefined,
  }
}

/** Durable when it resolves. The folder is made, readable by its owner only: stderr can say anything. */
export async function writeWhole(file: string, bytes: Uint8Array): Promise<void> {
  makeFolder(dirname(file), 0o700)
  const handle = await open(`${file}.tmp`, 'w', 0o600)
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(`${file}.tmp`, file)
  const parent = await open(dirname(file), 'r')
  try {
    await parent.sync()
  } finally {
    await parent.close()
  }
}
