// Runs the real executable for tests, in a folder of its own.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const EXECUTABLE = fileURLToPath(new URL('../../../bin/millrace', import.meta.url))

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Workspace {
  readonly folder: string
  /** Resolves when the command has ended. `started` sees the child process. */
  readonly run: (args: readonly string[], started?: (child: ChildProcess) => void) => Promise<Outcome>
  readonly remove: () => void
}

export function makeWorkspace(): Workspace {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-cli-'))
  return {
    folder,
    run: (args, started) =>
      new Promise((resolve, reject) => {
        const child = spawn(process.execPath, [EXECUTABLE, ...args], {
          cwd: folder,
          stdio: ['ignore', 'pipe', 'pipe'],
        })
        let stdout = ''
        let stderr = ''
        child.stdout.setEncoding('utf8').on('data', (piece: string) => (stdout += piece))
        child.stderr.setEncoding('utf8').on('data', (piece: string) => (stderr += piece))
        child.on('error', reject)
        child.on('close', (code) => resolve({ code, stdout, stderr }))
        started?.(child)
      }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
