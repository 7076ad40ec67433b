// Deletes archive files of this node that are older than the retention, and folders that became empty.
import { readdir, rm, rmdir } from 'node:fs/promises'
import path from 'node:path'

const FILE = /^(\d\d)\.(.+)\.\d+\.ndjson\.gz$/
const HOUR_MS = 3_600_000

/** Files whose hour ended before `beforeMs`. Returns how many were deleted. Others' files and unknown names are left alone. */
export async function deleteBefore(root: string, node: string, beforeMs: number): Promise<number> {
  let deleted = 0
  for (const year of await numbered(root)) {
    for (const month of await numbered(path.join(root, year))) {
      for (const day of await numbered(path.join(root, year, month))) {
        deleted += await deleteInDay(
          path.join(root, year, month, day),
          `${year}-${month}-${day}`,
          node,
          beforeMs,
        )
      }
      await removeIfEmpty(path.join(root, year, month))
    }
    await removeIfEmpty(path.join(root, year))
  }
  return deleted
}

async function deleteInDay(folder: string, date: string, node: string, beforeMs: number): Promise<number> {
  let deleted = 0
  for (const name of await readdir(folder)) {
    const [, hour, owner] = FILE.exec(name) ?? []
    const endMs = Date.parse(`${date}T${hour}:00:00Z`) + HOUR_MS
    if (owner !== node || Number.isNaN(endMs) || endMs > beforeMs) continue
    await rm(path.join(folder, name), { force: true })
    deleted++
  }
  if (deleted > 0) await removeIfEmpty(folder)
  return deleted
}

async function numbered(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => /^\d{2,4}$/.test(name))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** Another node may be putting a file there: then it is not empty, and rmdir fails. */
async function removeIfEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch(() => undefined)
}
