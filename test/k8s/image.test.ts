// The image: that what it copies is enough to run, that it is not root, and that manifests, package and release name one version.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import {
  at,
  listAt,
  type Manifest,
  OVERLAYS,
  podOf,
  POD_ENV,
  renderOverlay,
  textOf,
  whereRendered,
  workloadsOf,
} from './render.js'
import { repository } from './tools.js'

const read = (file: string) => readFileSync(path.join(repository, file), 'utf8')
const version = textOf(at(JSON.parse(read('package.json')) as Manifest, 'version'))
const lines = read('Containerfile')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
const lastStage = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')))

/** Sources and the target of a COPY. */
const copied = (line: string) => line.split(' ').filter((word) => word !== 'COPY' && !word.startsWith('--'))

test('an image that lacks a module that a command needs', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-image-'))
  try {
    for (const line of lastStage.filter((each) => each.startsWith('COPY '))) {
      const [source = '', target = ''] = copied(line)
      const from = path.join(repository, source.replace(/^\/build\//, ''))
      // dist is what the build stage makes; the modules are those of this repository.
      if (target === './node_modules') symlinkSync(from, path.join(folder, 'node_modules'))
      else {
        const to = target === './' ? path.join(folder, path.basename(from)) : path.join(folder, target)
        mkdirSync(path.dirname(to), { recursive: true })
        cpSync(from, to, { recursive: true })
      }
    }
    const run = (...args: readonly string[]) =>
      spawnSync(process.execPath, [path.join(folder, 'bin/millrace'), ...args], {
        encoding: 'utf8',
        timeout: 30_000,
        env: { ...process.env, ...POD_ENV },
      })
    assert.equal(run('--version').stdout.trim(), version)
    const valid = run('validate', '-c', path.join(repository, 'k8s/base/millrace.yaml'))
    assert.equal(valid.status, 0, valid.stderr)
    // Loads every module of its command, the stand-ins too.
    assert.equal(run('demo', '--help').status, 0)
    assert.equal(run('run', '--help').status, 0)
    const benches = run('bench')
    assert.equal(benches.status, 0, benches.stderr)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('a build that copies what is not there, or misses a folder of the sources', () => {
  const build = lines.slice(0, lines.indexOf(lastStage[0] ?? ''))
  const sources = build
    .filter((line) => line.startsWith('COPY '))
    .flatMap((line) => copied(line).slice(0, -1))
  for (const source of sources) assert.ok(existsSync(path.join(repository, source)), source)
  const compiled = listAt(JSON.parse(read('tsconfig.json')) as Manifest, 'include')
  for (const folder of compiled)
    assert.ok(sources.includes(textOf(folder).split('/')[0] ?? ''), textOf(folder))
})

test('an image that runs as root', () => {
  assert.ok(lastStage.includes('USER 10001:0'))
  const build = lines.findIndex((line) => line.startsWith('FROM ') && line.endsWith(' AS build'))
  assert.equal(build, 0, 'what builds stays behind')
  for (const line of lines.filter((each) => each.startsWith('FROM '))) assert.match(line, /^FROM \S+:24-slim/)
})

test('manifests that name another version than the package', whereRendered, () => {
  for (const overlay of OVERLAYS) {
    for (const workload of workloadsOf(renderOverlay(overlay))) {
      const images = [...listAt(podOf(workload), 'initContainers'), ...listAt(podOf(workload), 'containers')]
      for (const image of images.map((each) => textOf(at(each, 'image'))))
        if (!image.includes('/nats:')) assert.equal(image, `millrace:${version}`, overlay)
    }
  }
})

test('a release that signs a tag, which can be moved, or cannot sign at all', () => {
  const job = at(parse(read('.github/workflows/release.yml')) as Manifest, 'jobs', 'image')
  assert.equal(textOf(at(job, 'permissions', 'id-token')), 'write')
  const runs = listAt(job, 'steps').map((step) => textOf(at(step, 'run')))
  assert.ok(
    runs.some((script) => /^cosign sign --yes .*@\$\{\{ steps\.build\.outputs\.digest \}\}"$/.test(script)),
  )
})
