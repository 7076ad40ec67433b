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

/** A file that takes longer stands still: better a failure with its name than a run without an end. Real servers with a million records take most of an hour. */
const TIMEOUT_MS = { plain: 900_000, real: 5_400_000 }

interface Choice {
  readonly files: string[]
  readonly concurrency: number
  readonly timeoutMs: number
}

/** Tests against real servers take turns, since they stop and restart them. */
function choose(wanted: string | undefined): Choice {
  const few = (files: string[], concurrency: number): Choice => {
    const timeoutMs = files.some((file) => file.endsWith('.real.js')) ? TIMEOUT_MS.real : TIMEOUT_MS.plain
    return { files, concurrency, timeoutMs }
  }
  const files = filesUnder(testDir)
  const plain = files.filter((file) => file.endsWith('.test.js'))
  if (wanted === undefined) return few(plain, 2)
  if (wanted === 'real')
    return few(
      files.filter((file) => file.endsWith('.real.js')),
      1,
    )
  if (wanted === 'tidy')
    return few(
      plain.filter((file) => file === path.join(testDir, 'tidy.test.js')),
      1,
    )
  const named = files.filter(
    (file) => /\.(test|real)\.js$/.test(file) && path.relative(testDir, file).includes(wanted),
  )
  return few(named, named.some((file) => file.endsWith('.real.js')) ? 1 : 2)
}

function main(wanted: string | undefined): void {
  const { files, concurrency, timeoutMs } = choose(wanted)
  if (files.length === 0) {
    process.stderr.write(
      `no test matches ${wanted ?? 'at all'}: run npm run build first, or name a part of a path\n`,
    )
    process.exitCode = 1
    return
  }
  // Names, not globs: Node 20 does not expand them.
  const args = [
    '--test',
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${timeoutMs}`,
    '--enable-source-maps',
    ...files,
  ]
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
