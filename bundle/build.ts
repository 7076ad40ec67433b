// The last step of the build: one file for the main thread and one for the workers, each with the code that V8 compiles of it at a start.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build, type BuildOptions, type OutputFile, type Plugin } from 'esbuild'
import { elasticsearchProtocol } from '../benchmarks/sinks/elasticsearch.js'
import { startSink } from '../benchmarks/sinks/http.js'
import { lokiProtocol } from '../benchmarks/sinks/loki.js'
import { type SourceMapJson, tableOf } from './line-table.js'

const dist = fileURLToPath(new URL('../', import.meta.url))
const packed = path.join(dist, 'packed')
/** Large, and only for few; or not there in production. */
const OUTSIDE = ['@kubernetes/client-node', '@napi-rs/nice', 'cbor-x', 'msgpackr-extract', 'protobufjs']
/** The groups of a node on few cores, which have all actors of a plain configuration between them. */
const GROUPS = { ingest: ['source.*', 'parse', 'enrich', 'sample'], delivery: ['writer.*', 'journal'] }
const RECORDS = 200

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

const options = {
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  legalComments: 'none',
  logLevel: 'warning',
} as const satisfies BuildOptions

const bundled = {
  ...options,
  write: false,
  external: [...OUTSIDE],
  plugins: [ownUrls],
  define: { 'import.meta.url': '__url' },
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
  const group = `export { default } from './actors/group.js'; import '../node_modules/piscina/dist/worker.js'`
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
  const { sources, lines } = tableOf(JSON.parse(textOf('.map')) as SourceMapJson)
  writeFileSync(`${file}.lines`, lines)
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

/** Runs a node over a few records for each part: what it compiles is what every start compiles. */
async function record(): Promise<void> {
  const scratch = mkdtempSync(path.join(tmpdir(), 'millrace-build-'))
  const [es, loki] = [await startSink(elasticsearchProtocol()), await startSink(lokiProtocol())]
  try {
    const pods = path.join(scratch, 'pods')
    const container = path.join(pods, 'shop_cart-1_00000000-0000-4000-8000-000000000000', 'cart')
    mkdirSync(container, { recursive: true })
    writeFileSync(path.join(container, '0.log'), logLines().join(''))
    for (const part of ['main', ...Object.keys(GROUPS)]) {
      const file = path.join(scratch, `${part}.yaml`)
      const config = {
        node: { id: 'build', cluster_id: 'build', data_dir: path.join(scratch, part) },
        http: { listen: '127.0.0.1:0' },
        runtime: { log_level: 'warn', placement: GROUPS },
        sources: { pods: { type: 'kubernetes', path: pods, api: 'off' } },
        backends: { es: { type: 'elasticsearch', url: es.url }, loki: { type: 'loki', url: loki.url } },
      }
      writeFileSync(file, JSON.stringify(config))
      const script = path.join(dist, 'bundle/record.js')
      await promisify(execFile)(process.execPath, [script, packed, file, part], { timeout: 120_000 })
    }
  } finally {
    await Promise.all([es.close(), loki.close()])
    rmSync(scratch, { recursive: true, force: true })
  }
}

function logLines(): string[] {
  const levels = ['info', 'warn', 'error', 'debug']
  return Array.from({ length: RECORDS }, (_, at) => {
    const time = new Date(Date.UTC(2026, 0, 1) + at).toISOString()
    const record = {
      time,
      level: levels[at % levels.length],
      service: 'cart',
      msg: `order ${at}`,
      status: 200,
    }
    return `${time} stdout F ${JSON.stringify(record)}\n`
  })
}

await bundle()
await record()
