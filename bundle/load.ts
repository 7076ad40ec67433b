// Runs a bundle from the code that V8 compiled when it was built; code of another V8 or other flags is refused by V8 and compiled anew.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { Script } from 'node:vm'
import { nameSources } from './stack.js'

/** What esbuild's wrapper in build.ts takes. */
type Body = (
  exports: object,
  require: (id: string) => unknown,
  module: { exports: object },
  filename: string,
  dirname: string,
  /** The URL of a module of dist/, as its import.meta.url would be. */
  at: (module: string) => string,
  url: string,
) => void

export interface Loaded {
  readonly exports: object
  /** With what has been compiled until then. */
  compiled(): Buffer
}

/**
 * `file` is a bundle of build.ts; its compiled code lies beside it. `require` loads what the bundle leaves outside. It is given the
 * bundle's exports, which are complete when the bundle has run.
 */
export function loadBundle(file: string, require: (id: string, exports: object) => unknown): Loaded {
  const dist = path.dirname(path.dirname(file))
  const cachedData = compiledCode(file)
  const script = new Script(readFileSync(file, 'latin1'), {
    filename: file,
    ...(cachedData === undefined ? {} : { cachedData }),
  })
  nameSources(file)
  const module = { exports: {} }
  const body = script.runInThisContext() as Body
  body(
    module.exports,
    (id) => require(id, module.exports),
    module,
    file,
    path.dirname(file),
    (name) => pathToFileURL(path.join(dist, name)).href,
    pathToFileURL(file).href,
  )
  return { exports: module.exports, compiled: () => script.createCachedData() }
}

function compiledCode(file: string): Buffer | undefined {
  try {
    return readFileSync(`${file}.cache`)
  } catch {
    // It is made in the build's last step, and only saves time.
    return undefined
  }
}
