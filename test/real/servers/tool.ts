// Runs an install step's tool (mvn, unzip, go) and says what to do where the tool is missing.
import { spawn, spawnSync } from 'node:child_process'

/** Thrown where a real server cannot be had on this machine; the message names the way out. */
export type MissingTool = Error & { readonly code: 'tool_missing' }

export function missingTool(message: string): MissingTool {
  return Object.assign(new Error(message), { code: 'tool_missing' as const })
}

export function isMissingTool(error: unknown): error is MissingTool {
  return error instanceof Error && (error as { code?: unknown }).code === 'tool_missing'
}

/** What `tool <flags>` prints, on either stream. */
export function requireTool(tool: string, flags: string, wayOut: string): string {
  const answer = spawnSync(tool, flags.split(' '), { encoding: 'utf8' })
  if (answer.error === undefined) return `${answer.stdout}${answer.stderr}`
  throw missingTool(`${tool} is not installed. ${wayOut}, or use a container engine: docker compose up -d`)
}

export type RunOptions = {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  readonly timeoutMs: number
}

/** Resolves with stdout; rejects with the command and the end of its stderr. */
export function runTool(tool: string, args: readonly string[], options: RunOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(tool, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      timeout: options.timeoutMs,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      const stdout = Buffer.concat(out).toString()
      if (code === 0) return resolve(stdout)
      const tail = (Buffer.concat(err).toString() || stdout).slice(-2000)
      reject(new Error(`${tool} ${args.join(' ')} ended with ${code ?? signal}:\n${tail}`))
    })
  })
}
