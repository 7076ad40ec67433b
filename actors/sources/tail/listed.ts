// Whether the file that a position is about is among those that a search has found.
import type { FilePosition } from '../../../protocol/positions.js'
import type { FoundFile } from './found.js'
import { headMatches, inodeOf, readHeadAt } from './identity.js'

/** As it was, or packed. Not by its inode alone, which a new file may have: files are looked into. */
export function isListed({ identity, path }: FilePosition, listed: ReadonlyMap<string, FoundFile>): boolean {
  const is = (found: FoundFile | undefined): boolean => {
    const head = found === undefined ? undefined : readHeadAt(found)
    return head !== undefined && headMatches(identity, head)
  }
  const packed = [...listed.values()].filter((found) => found.gz && folderOf(found.path) === folderOf(path))
  return is(listed.get(inodeOf(identity))) || packed.some(is)
}

export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1)
}
