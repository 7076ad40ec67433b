// Makes the relative paths and globs of a configuration absolute, against the folder of its file.
import path from 'node:path'
import { escapePath } from 'tinyglobby'
import { configSchema, type Config } from '../../protocol/config/schema.js'
import { walkValues } from './schema-tree.js'

/** A copy in which every value declared as a path or a glob is absolute. `folder` is absolute. */
export function resolvePaths(config: Config, folder: string): Config {
  const copy = structuredClone(config)
  walkValues(configSchema, copy, ({ kind }, value, at) => {
    if (typeof value !== 'string' || (kind !== 'path' && kind !== 'glob')) return
    setAt(copy, at, kind === 'path' ? path.resolve(folder, value) : resolveGlob(folder, value))
  })
  return copy
}

/** The folder's own name may hold characters that mean something in a glob. */
function resolveGlob(folder: string, glob: string): string {
  if (path.isAbsolute(glob)) return path.posix.normalize(glob)
  const ups = /^(?:\.{1,2}\/+)*/.exec(glob)?.[0] ?? ''
  return path.posix.join(escapePath(path.resolve(folder, ups)), glob.slice(ups.length))
}

export function setAt(root: unknown, at: readonly PropertyKey[], value: unknown): void {
  let parent = root as Record<PropertyKey, unknown>
  for (const key of at.slice(0, -1)) parent = parent[key] as Record<PropertyKey, unknown>
  parent[at.at(-1) as PropertyKey] = value
}
