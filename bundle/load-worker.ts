// Loads the bundle of the worker threads.
import { createRequire } from 'node:module'
import path from 'node:path'
import { type Loaded, loadBundle } from './load.js'

/**
 * `folder` is where build.ts has put the bundle. piscina asks for the actors' module by the name that it has outside of a bundle; here
 * that is the bundle's own, seen through `shown`.
 */
export function loadWorker(folder: string, shown = (exports: object): object => exports): Loaded {
  const file = path.join(folder, 'worker.bundle.js')
  const group = path.join(path.dirname(folder), 'actors', 'group.js')
  const outside = createRequire(file)
  return loadBundle(file, (id, exports) => (id === group ? shown(exports) : outside(id)))
}
