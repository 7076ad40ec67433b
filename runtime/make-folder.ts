// Makes a folder and its parents. Node's own recursive mkdir never returns where a parent cannot be made and says ENOENT, as in /proc.
import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { systemCode } from '../protocol/errors.js'

/**
 * Returns the first folder that it made; undefined when all were there, which are left as they are. Throws what the system says of the
 * first that cannot be made.
 */
export function makeFolder(folder: string, mode = 0o777): string | undefined {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return undefined
  const parent = dirname(folder)
  const first = parent === folder ? undefined : makeFolder(parent, mode)
  try {
    mkdirSync(folder, { mode })
    return first ?? folder
  } catch (error) {
    // Another process may have made it in the meantime.
    if (systemCode(error) !== 'EEXIST' || !statSync(folder).isDirectory()) throw error
    return first
  }
}
