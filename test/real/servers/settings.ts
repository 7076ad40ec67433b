// Where the real servers live, which versions they are, and where they listen.
import { accessSync, constants, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const versions = { elasticsearch: '8.19.21', loki: 'v3.7.8', nats: 'v2.15.2' } as const

export type ServerName = 'es' | 'loki' | 'nats'
export const serverNames: readonly ServerName[] = ['es', 'loki', 'nats']

/** Elasticsearch refuses to run as root, so root gives it (and its files) to the unprivileged user "nobody". */
export const unprivilegedId = 65534
export const isRoot = process.getuid?.() === 0

const repositoryRoot = fileURLToPath(new URL('../../../../', import.meta.url))

/** `.backends/` in the repository, or a folder of the temp dir where an unprivileged Elasticsearch could not reach it. */
export function backendsDir(): string {
  const told = process.env['MILLRACE_BACKENDS_DIR']
  if (told !== undefined && told !== '') return path.resolve(told)
  const own = path.join(repositoryRoot, '.backends')
  return isRoot && !reachableByAll(repositoryRoot) ? path.join(tmpdir(), 'millrace-backends') : own
}

function reachableByAll(dir: string): boolean {
  for (let at = path.resolve(dir); ; at = path.dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false
    if (at === path.dirname(at)) return true
  }
}

export function port(name: ServerName): number {
  const variable = { es: 'MILLRACE_ES_PORT', loki: 'MILLRACE_LOKI_PORT', nats: 'MILLRACE_NATS_PORT' }[name]
  const fallback = { es: 19200, loki: 13100, nats: 14222 }[name]
  const told = process.env[variable]
  if (told === undefined || told === '') return fallback
  const number = Number(told)
  if (Number.isInteger(number) && number > 0 && number < 65536) return number
  throw new Error(`${variable}=${told} is no port: give a number from 1 to 65535`)
}

/** The address tests use: ES_URL, LOKI_URL, NATS_URL where set (a server of your own), else the one `backends start` starts. */
export function serverUrl(name: ServerName): string {
  const told = process.env[{ es: 'ES_URL', loki: 'LOKI_URL', nats: 'NATS_URL' }[name]]
  if (told !== undefined && told !== '') return told.replace(/\/+$/, '')
  return ownUrl(name)
}

export function ownUrl(name: ServerName): string {
  return `${name === 'nats' ? 'nats' : 'http'}://127.0.0.1:${port(name)}`
}

export function fileExists(file: string): boolean {
  try {
    accessSync(file, constants.F_OK)
    return true
  } catch {
    return false
  }
}
