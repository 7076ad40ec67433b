// Runs a bundle from the code that V8 compiled when it was built; code of another V8 or other flags is refused by V8 and compiled anew.
import { closeSync, openSync, readSync, statSync } from 'node:fs'
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
  // One memory for both, one after the other: an idle thread would keep two for long.
  const [textBytes, codeBytes] = [sizeOf(file), sizeOf(`${file}.cache`)]
  const memory = Buffer.allocUnsafeSlow(Math.max(textBytes, codeBytes))
  const text = read(file, memory.subarray(0, textBytes)).toString('latin1')
  // Made in the build's last step, and only to save time: none is as good.
  const code = codeBytes === 0 ? {} : { cachedData: read(`${file}.cache`, memory.subarray(0, codeBytes)) }
  const script = new Script(text, { filename: file, ...code })
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

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

function read(file: string, into: Buffer): Buffer {
  const descriptor = openSync(file, 'r')
  try {
    let at = 0
    for (let got = 1; got > 0 && at < into.length; at += got)
      got = readSync(descriptor, into, at, into.length - at, at)
    return into.subarray(0, at)
  } finally {
    closeSync(descriptor)
  }
}
