// Finds and runs the programs that users apply and check manifests with: kubectl or kustomize, promtool, nats-server.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const repository = fileURLToPath(new URL('../../../', import.meta.url))
const backends = process.env['MILLRACE_BACKENDS_DIR'] ?? path.join(repository, '.backends')

export interface Tool {
  readonly command: string
  readonly args: readonly string[]
}

export interface Ran {
  readonly code: number | null
  readonly output: string
  readonly stdout: string
}

/** On PATH, or where `npm run backends` puts what it builds: there its version is in its name. */
function find(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter).filter((folder) => folder !== '')
  const onPath = folders.map((folder) => path.join(folder, name)).find((file) => existsSync(file))
  if (onPath !== undefined) return onPath
  const bin = path.join(backends, 'bin')
  const built = existsSync(bin) ? readdirSync(bin).find((file) => file.startsWith(`${name}-v`)) : undefined
  return built === undefined ? undefined : path.join(bin, built)
}

/** kubectl has kustomize built in. */
export function findKustomize(): Tool | undefined {
  const own = find('kustomize')
  if (own !== undefined) return { command: own, args: ['build'] }
  const kubectl = find('kubectl')
  return kubectl === undefined ? undefined : { command: kubectl, args: ['kustomize'] }
}

export function findTool(name: 'promtool' | 'nats-server'): Tool | undefined {
  const command = find(name)
  return command === undefined ? undefined : { command, args: [] }
}

export function run(tool: Tool, args: readonly string[], env: Readonly<Record<string, string>> = {}): Ran {
  const { status, stdout, stderr, error } = spawnSync(tool.command, [...tool.args, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, ...env },
  })
  if (error !== undefined) throw error
  return { code: status, stdout, output: `${stdout}${stderr}` }
}

/** Why a test that needs the tool is skipped; undefined where it is not. Where all tools are promised, nothing is skipped. */
export function skipWithout(tool: Tool | undefined, names: string): { readonly skip?: string } {
  if (tool !== undefined) return {}
  if (process.env['CI'] === 'true') throw new Error(`${names} is not on PATH; .ci/run installs it`)
  return { skip: `needs ${names} on PATH` }
}
