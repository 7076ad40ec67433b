// nats-server with JetStream, installed with `go install`.
import { mkdirSync, renameSync } from 'node:fs'
import { createConnection } from 'node:net'
import path from 'node:path'
import { requireGo } from './loki.js'
import type { Server } from './server.js'
import { backendsDir, fileExists, port, versions } from './settings.js'
import { runTool } from './tool.js'

const home = () => path.join(backendsDir(), 'nats')
export const natsBinary = () => path.join(backendsDir(), 'bin', `nats-server-${versions.nats}`)

async function install(): Promise<void> {
  if (fileExists(natsBinary())) return
  requireGo()
  const bin = path.dirname(natsBinary())
  mkdirSync(bin, { recursive: true })
  await runTool('go', ['install', `github.com/nats-io/nats-server/v2@${versions.nats}`], {
    cwd: bin,
    env: { GOBIN: bin, CGO_ENABLED: '0', GOWORK: 'off' },
    timeoutMs: 10 * 60_000,
  })
  renameSync(path.join(bin, 'nats-server'), natsBinary())
}

/** A server greets with `INFO {...}` as soon as it takes clients (NATS client protocol). */
function greets(): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: '127.0.0.1', port: port('nats'), timeout: 3000 })
    socket.once('data', (chunk) => {
      socket.destroy()
      resolve(chunk.toString('latin1').startsWith('INFO '))
    })
    socket.once('timeout', () => socket.destroy(new Error('no greeting within 3 s')))
    socket.once('error', reject)
    socket.once('close', () => resolve(false))
  })
}

export const nats: Server = {
  name: 'nats',
  title: `nats-server ${versions.nats}`,
  install,
  launch() {
    const store = path.join(home(), 'store')
    mkdirSync(store, { recursive: true })
    const args = ['--addr', '127.0.0.1', '--port', String(port('nats')), '--jetstream', '--store_dir', store]
    return { command: natsBinary(), args, cwd: home() }
  },
  readyTimeoutMs: 30_000,
  stopGraceMs: 15_000,
  isReady: greets,
}
