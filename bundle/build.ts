// The last step of the build: one file for the main thread and one for the workers, each with the code that V8 compiles of it at a start.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type BuildOptions, type OutputFile, type Plugin } from 'esbuild'
import { type SourceMapJson, tableOf } from './line-table.js'
import { record } from './recording.js'

const dist = fileURLToPath(new URL('../', import.meta.url))
const packed = path.join(dist, 'packed')
/** Large, and only for few; or not there in production. */
const OUTSIDE = ['@kubernetes/client-node', '@napi-rs/nice', 'cbor-x', 'msgpackr-extract', 'protobufjs']
/** undici's front door, with fetch and web sockets: for captures in S3 only. Its pool is inside. */
const frontDoor: Plugin = {
  name: 'front-door',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^undici$/ }, ({ path: id }) => ({ path: id, external: true })),
}

/** A module of dist/ finds the files beside it as if it were not bundled. */
const ownUrls: Plugin = {
  name: 'own-urls',
  setup({ onLoad }) {
    onLoad({ filter: /\.js$/ }, ({ path: file }) => {
      if (!file.startsWith(dist)) return undefined
      const name = path.relative(dist, file).replaceAll(path.sep, '/')
      const text = readFileSync(file, 'utf8')
      return { contents: text.replaceAll('import.meta.url', `__at(${JSON.stringify(name)})`), loader: 'js' }
    })
  },
}

/** zod's texts in fifty languages, which every thread would hold. */
const oneLanguage: Plugin = {
  name: 'one-language',
  setup({ onLoad }) {
    onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, () => ({
      contents: `export { default as en } from './en.js'`,
    }))
  },
}

const options = {
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  minifyWhitespace: true,
  legalComments: 'none',
  logLevel: 'warning',
} as const satisfies BuildOptions

const bundled = {
  ...options,
  write: false,
  external: [...OUTSIDE],
  plugins: [ownUrls, oneLanguage, frontDoor],
  define: { 'import.meta.url': '__url' },
  // An import() would look from where the compiled code was made; require is that of the place.
  supported: { 'dynamic-import': false },
  sourcemap: 'external',
  sourcesContent: false,
  // Taken by load.ts.
  banner: { js: '(function(exports,require,module,__filename,__dirname,__at,__url){' },
  footer: { js: '})' },
} as const satisfies BuildOptions

async function bundle(): Promise<void> {
  rmSync(packed, { recursive: true, force: true })
  mkdirSync(packed)
  writeFileSync(path.join(packed, 'package.json'), '{ "type": "commonjs" }\n')
  const piscina = path.dirname(createRequire(import.meta.url).resolve('piscina'))
  const group = `export { default } from './actors/group.js'; import ${JSON.stringify(path.join(piscina, 'worker.js'))}`
  const starts = ['main', 'worker'].map((name) => path.join(dist, `bundle/${name}.js`))
  const [main, worker] = await Promise.all([
    build({ ...bundled, entryPoints: [path.join(dist, 'cli/main.js')], outfile: fileOf('main') }),
    build({ ...bundled, stdin: { contents: group, resolveDir: dist }, outfile: fileOf('worker') }),
    build({ ...options, entryPoints: starts, outdir: packed }),
  ])
  writeBundle('main', main.outputFiles)
  writeBundle('worker', worker.outputFiles)
}

function writeBundle(name: string, outputs: readonly OutputFile[]): void {
  const file = fileOf(name)
  const textOf = (end: string): string => outputs.find((output) => output.path === file + end)?.text ?? ''
  writeFileSync(file, oneByteEach(textOf('')))
  const { sources, changes } = tableOf(JSON.parse(textOf('.map')) as SourceMapJson)
  writeFileSync(`${file}.lines`, changes)
  writeFileSync(`${file}.sources.json`, JSON.stringify(sources))
}

function fileOf(bundle: string): string {
  return path.join(packed, `${bundle}.bundle.js`)
}

/** V8 keeps such a text in half of the memory. What lies beyond is in regular expressions and comments, where an escape says the same. */
function oneByteEach(text: string): Buffer {
  const escaped = text.replace(
    /[^\u0000-\u00ff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return Buffer.from(escaped, 'latin1')
}

await bundle()
await record(packed).catch((error: unknown) => {
  // Only a start's time hangs on it.
  process.stderr.write(`bundle: without compiled code, so each start compiles: ${String(error)}\n`)
})
