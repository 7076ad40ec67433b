// Finds the compiled tests and runs them with node's own runner: node dist/test/run.js [real | tidy | <part of a path>].
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const testDir = path.dirname(fileURLToPath(import.meta.url))

function filesUnder(dir: string): string[] {
  const entries = readdirSync(dir, { withFileTypes: true })
  return entries
    .flatMap((entry) => {
      const file = path.join(dir, entry.name)
      return entry.isDirectory() ? filesUnder(file) : [file]
    })
    .sort()
}

/** Tests against real servers take turns, since they stop and restart them. */
function choose(wanted: string | undefined): { files: string[]; concurrency: number } {
  const files = filesUnder(testDir)
  const plain = files.filter((file) => file.endsWith('.test.js'))
  if (wanted === undefined) return { files: plain, concurrency: 2 }
  if (wanted === 'real') return { files: files.filter((file) => file.endsWith('.real.js')), concurrency: 1 }
  if (wanted === 'tidy')
    return { files: plain.filter((file) => file === path.join(testDir, 'tidy.test.js')), concurrency: 1 }
  const named = files.filter(
    (file) => /\.(test|real)\.js$/.test(file) && path.relative(testDir, file).includes(wanted),
  )
  return { files: named, concurrency: named.some((file) => file.endsWith('.real.js')) ? 1 : 2 }
}

function main(wanted: string | undefined): void {
  const { files, concurrency } = choose(wanted)
  if (files.length === 0) {
    process.stderr.write(
      `no test matches ${wanted ?? 'at all'}: run npm run build first, or name a part of a path\n`,
    )
    process.exitCode = 1
    return
  }
  // Names, not globs: Node 20 does not expand them.
  const args = ['--test', `--test-concurrency=${concurrency}`, '--enable-source-maps', ...files]
  const child = spawn(process.execPath, args, { stdio: 'inherit' })
  child.on('error', (error) => {
    process.stderr.write(`cannot run ${process.execPath}: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    if (signal !== null) process.stderr.write(`the test runner was ended by ${signal}\n`)
    process.exitCode = code ?? 1
  })
}

main(process.argv[2])
