// A nats-server of the run's own, to be killed and started again; only where `npm run backends` has installed one.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { natsBinary } from '../real/servers/nats.js'
import { fileExists } from '../real/servers/settings.js'

export interface OwnNats {
  readonly url: string
  start(): void
  /** Ends it at once. */
  kill(): Promise<void>
}

export const hasNats = (): boolean => fileExists(natsBinary())

export function createNats(port: number, folder: string): OwnNats {
  let server: ChildProcess | undefined
  return {
    url: `nats://127.0.0.1:${port}`,
    start() {
      if (server !== undefined) return
      const args = ['--addr', '127.0.0.1', '--port', String(port), '--jetstream', '--store_dir', folder]
      server = spawn(natsBinary(), args, { stdio: 'ignore' })
    },
    async kill() {
      const ending = server
      server = undefined
      if (ending === undefined) return
      const ended = once(ending, 'exit')
      ending.kill('SIGKILL')
      await ended
    },
  }
}
