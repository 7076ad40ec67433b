// A nats-server of a test's own, to kill and restart, with what configuration it wants; also three of them as a cluster.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { nats, natsBinary } from './nats.js'

export interface OwnNats {
  readonly url: string
  readonly port: number
  readonly folder: string
  /** Of the running server. */
  pid(): number | undefined
  start(): Promise<void>
  /** SIGKILL: what was not synced is lost, as in a crash. */
  kill(): Promise<void>
  remove(): Promise<void>
}

export interface OwnNatsOptions {
  /** Lines of its configuration besides address, port and JetStream's folder. */
  readonly config?: string
  readonly jetstream?: boolean
  readonly name?: string
}

const READY_WITHIN_MS = 15_000

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

export async function startOwnNats(options: OwnNatsOptions = {}): Promise<OwnNats> {
  await nats.install()
  const server = await makeOwnNats(options)
  await server.start()
  return server
}

async function makeOwnNats({ config = '', jetstream = true, name }: OwnNatsOptions): Promise<OwnNats> {
  const port = await freePort()
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-nats-'))
  const file = path.join(folder, 'nats.conf')
  const store = jetstream ? `jetstream { store_dir: "${folder}/store" }\n` : ''
  const called = name === undefined ? '' : `server_name: ${name}\n`
  writeFileSync(file, `listen: 127.0.0.1:${port}\n${called}${store}${config}\n`)
  let child: ChildProcess | undefined
  async function kill(): Promise<void> {
    const running = child
    child = undefined
    if (running === undefined || running.exitCode !== null) return
    const exited = new Promise((resolve) => running.once('exit', resolve))
    running.kill('SIGKILL')
    await exited
  }
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    folder,
    pid: () => child?.pid,
    async start() {
      child = spawn(natsBinary(), ['-c', file], { stdio: 'ignore' })
      await greeted(port)
    },
    kill,
    async remove() {
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Three servers that know each other, as production has them. `more`: further lines of each one's configuration. */
export async function startNatsCluster(more: readonly string[] = []): Promise<OwnNats[]> {
  await nats.install()
  const routes = [await freePort(), await freePort(), await freePort()]
  const known = routes.map((port) => `nats://127.0.0.1:${port}`).join(', ')
  const servers = await Promise.all(
    routes.map((port, n) =>
      makeOwnNats({
        name: `n${n}`,
        config: `cluster { name: c, listen: 127.0.0.1:${port}, routes: [${known}] }\n${more[n] ?? ''}`,
      }),
    ),
  )
  await Promise.all(servers.map((server) => server.start()))
  return servers
}

async function greeted(port: number): Promise<void> {
  for (const deadline = Date.now() + READY_WITHIN_MS; ; ) {
    const said = await new Promise<string>((resolve) => {
      const socket = createConnection({ host: '127.0.0.1', port })
      socket.once('data', (bytes) => {
        resolve(String(bytes))
        socket.destroy()
      })
      socket.once('error', () => resolve(''))
    })
    if (said.startsWith('INFO ')) return
    if (Date.now() > deadline) throw new Error(`nats-server on port ${port} does not greet`)
    await sleep(50)
  }
}
