// The version of this package, as package.json states it.
import { readFileSync } from 'node:fs'

export function readVersion(): string {
  // This file runs as dist/runtime/version.js.
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return String((JSON.parse(text) as { version?: unknown }).version)
}
