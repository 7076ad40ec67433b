// Loki: built from its Go module, run as a single binary with a filesystem store and an in-memory ring.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { lokiConfig } from './loki-config.js'
import type { Server } from './server.js'
import { backendsDir, fileExists, port, versions } from './settings.js'
import { missingTool, requireTool, runTool } from './tool.js'

const modulePath = 'github.com/grafana/loki/v3'
const home = () => path.join(backendsDir(), 'loki')
const binary = () => path.join(backendsDir(), 'bin', `loki-${versions.loki}`)

async function install(): Promise<void> {
  if (fileExists(binary())) return
  requireGo()
  const dir = path.join(home(), 'module')
  mkdirSync(dir, { recursive: true })
  mkdirSync(path.dirname(binary()), { recursive: true })
  writeFileSync(path.join(dir, 'go.mod'), goMod(await lokisGoMod(dir)))
  const target = `${modulePath}/cmd/loki`
  const building = `${binary()}.new`
  await runTool('go', ['build', '-mod=mod', '-trimpath', '-ldflags', '-s -w', '-o', building, target], {
    cwd: dir,
    env: { CGO_ENABLED: '0', GOWORK: 'off' },
    timeoutMs: 30 * 60_000,
  })
  renameSync(building, binary())
}

/** Go 1.21 and newer fetch the exact toolchain that a module asks for by themselves. */
export function requireGo(): void {
  const wayOut = 'Install Go 1.21 or newer (https://go.dev/dl)'
  const minor = /go1\.(\d+)/.exec(requireTool('go', 'version', wayOut))?.[1]
  if (minor === undefined || Number(minor) < 21) {
    throw missingTool(`go is version 1.${minor ?? '?'}, Loki's module needs 1.21. ${wayOut}`)
  }
}

async function lokisGoMod(dir: string): Promise<string> {
  const wanted = `${modulePath}@${versions.loki}`
  const answer = await runTool('go', ['mod', 'download', '-json', wanted], {
    cwd: path.dirname(dir),
    env: { GOWORK: 'off', GOFLAGS: '-mod=mod' },
    timeoutMs: 10 * 60_000,
  })
  const { GoMod: file } = JSON.parse(answer) as { GoMod?: string }
  if (file === undefined) throw new Error(`go mod download ${wanted} named no go.mod: ${answer}`)
  return readFileSync(file, 'utf8')
}

/** Go ignores a dependency's replace and exclude lines, Loki builds with its own only: repeat all but the one to a local folder. */
export function goMod(lokis: string): string {
  const lines = lokis.split('\n')
  const go = lines.find((line) => /^go \d/.test(line)) ?? 'go 1.21'
  const repeated = lines.filter((line) => /^(replace|exclude) [^(]/.test(line) && !line.includes('=> ./'))
  return [
    'module millrace.backends/loki',
    go,
    `tool ${modulePath}/cmd/loki`,
    `require ${modulePath} ${versions.loki}`,
    ...repeated,
    '',
  ].join('\n\n')
}

export const loki: Server = {
  name: 'loki',
  title: `Loki ${versions.loki}`,
  install,
  launch() {
    mkdirSync(path.join(home(), 'data'), { recursive: true })
    const configFile = path.join(home(), 'loki.yaml')
    writeFileSync(configFile, lokiConfig(port('loki'), path.join(home(), 'data')))
    return { command: binary(), args: [`-config.file=${configFile}`], cwd: home() }
  },
  readyTimeoutMs: 90_000,
  stopGraceMs: 30_000,
  async isReady() {
    const url = `http://127.0.0.1:${port('loki')}/ready`
    return (await fetch(url, { signal: AbortSignal.timeout(3000) })).status === 200
  },
}
