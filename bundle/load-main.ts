// Loads the bundle of the main thread.
import { createRequire } from 'node:module'
import path from 'node:path'
import { type Loaded, loadBundle } from './load.js'

/** `folder` is where build.ts has put the bundle. */
export function loadMain(folder: string): Loaded & { main(argv: readonly string[]): Promise<number> } {
  const file = path.join(folder, 'main.bundle.js')
  const loaded = loadBundle(file, createRequire(file))
  return { ...loaded, main: (loaded.exports as typeof import('../cli/main.js')).main }
}
