// The bundle that bin/millrace runs: it must not hang on its compiled code, be older than the modules, or hide where an error comes from.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const repository = fileURLToPath(new URL('../../../', import.meta.url))
/** Files that a test writes are copies, the rest are links. */
const COPIED = ['packed', 'cli']
let folder = ''
let packed = ''

before(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'millrace-packed-'))
  packed = path.join(folder, 'dist/packed')
  mkdirSync(path.join(folder, 'dist'))
  for (const name of ['node_modules', 'package.json'])
    symlinkSync(path.join(repository, name), path.join(folder, name))
  cpSync(path.join(repository, 'bin'), path.join(folder, 'bin'), { recursive: true })
  for (const name of readdirSync(path.join(repository, 'dist'))) {
    const [from, to] = [path.join(repository, 'dist', name), path.join(folder, 'dist', name)]
    if (COPIED.includes(name)) cpSync(from, to, { recursive: true, preserveTimestamps: true })
    else symlinkSync(from, to)
  }
  const now = new Date()
  utimesSync(path.join(packed, 'main.js'), now, now)
})

after(() => rmSync(folder, { recursive: true, force: true }))

function run(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [path.join(folder, 'bin/millrace'), ...args], {
    encoding: 'utf8',
    timeout: 60_000,
  })
}

/** A node without backends that has nothing to read: both bundles are loaded. */
function runNode(): void {
  const file = path.join(folder, 'node.yaml')
  const pods = path.join(folder, 'pods')
  const archive = { type: 'archive', path: path.join(folder, 'archive') }
  mkdirSync(pods, { recursive: true })
  writeFileSync(
    file,
    JSON.stringify({
      node: { id: 'packed', data_dir: path.join(folder, 'data') },
      http: { listen: '127.0.0.1:0' },
      sources: { pods: { type: 'kubernetes', path: pods, api: 'off' } },
      backends: { archive },
    }),
  )
  const { status, stderr } = run('run', '--once', '-c', file)
  assert.equal(status, 0, stderr)
  assert.match(stderr, /"msg":"stopped"/)
}

test('an error of the bundle whose stack does not name the source', () => {
  const { status, stderr } = run('validate', '--debug', '-c', path.join(folder, 'absent.yaml'))
  assert.equal(status, 2, stderr)
  const found = /\(?\S*\/(runtime\/config\/\w+\.ts):(\d+)\)?/.exec(stderr)
  assert.ok(found !== null, stderr)
  const [, file = '', line = ''] = found
  const source = readFileSync(path.join(repository, file), 'utf8').split('\n')[Number(line) - 1] ?? ''
  assert.match(source, /throw|Error\(/, `${file}:${line} is "${source}"`)
  assert.doesNotMatch(stderr, /\.bundle\.js/)
})

test('compiled code of another version of node, cut off, or not there at all', () => {
  const caches = readdirSync(packed).filter((name) => name.endsWith('.cache'))
  assert.deepEqual(caches.sort(), ['main.bundle.js.cache', 'worker.bundle.js.cache'])
  runNode()
  const halves = new Map<string, Buffer>()
  for (const name of caches) {
    const file = path.join(packed, name)
    const whole = readFileSync(file)
    writeFileSync(file, Buffer.alloc(whole.length, 0xa5))
    halves.set(file, whole.subarray(0, whole.length / 2))
  }
  runNode()
  for (const [file, half] of halves) writeFileSync(file, half)
  runNode()
  for (const name of caches) writeFileSync(path.join(packed, name), '')
  runNode()
  for (const name of caches) rmSync(path.join(packed, name))
  runNode()
})

test('modules that were compiled after the bundle was made, and do not run', () => {
  const file = path.join(folder, 'dist/cli/main.js')
  writeFileSync(file, `export const main = async () => { console.log('the modules'); return 0 }\n`)
  const later = new Date(Date.now() + 60_000)
  utimesSync(file, later, later)
  assert.equal(run('--version').stdout, 'the modules\n')
  rmSync(packed, { recursive: true })
  assert.equal(run('--version').stdout, 'the modules\n')
})

test('the bundle that lies in the memory of each thread holds neither the schema library nor fetch and web sockets', () => {
  const file = path.join(repository, 'dist/packed/worker.bundle.js.sources.json')
  const sources = JSON.parse(readFileSync(file, 'utf8')) as string[]
  assert.ok(sources.some((source) => source.includes('/undici/lib/dispatcher/pool')))
  assert.deepEqual(
    sources.filter((source) => /\/zod\/|\/undici\/lib\/web\/(fetch|websocket)\/index/.test(source)),
    [],
  )
})
