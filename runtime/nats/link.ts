// Keeps a connection to NATS for ever: each new one is set up by the same function, and while there is none the reason is known.
import type { NatsConnection } from 'nats'
import { saidOf } from '../../protocol/errors.js'
import { type Clock, sleep } from '../clock.js'
import { backoffMs, type RetryPolicy } from '../retry.js'

export interface LinkOptions {
  connect(): Promise<NatsConnection>
  /** Makes subscriptions and services on a fresh connection; a rejection ends the connection and is the reason. */
  setUp(connection: NatsConnection): Promise<void>
  /** The connection is there, or why not. Told once for each change. */
  changed(state: LinkState): void
  /** What the server complains about while the connection lives on: a missing permission, a consumer that is too slow. */
  complaint(error: Error): void
  readonly retry: RetryPolicy
  readonly clock: Clock
  random(): number
}

export type LinkState =
  | { readonly up: true; readonly server: string }
  | { readonly up: false; readonly reason: string }

export interface Link {
  /** The connection once it has been set up, else undefined. */
  current(): NatsConnection | undefined
  /** Ends the connection after what was published has left. */
  stop(): Promise<void>
}

/** A connection that lived so long was no failure: the next wait is a first one again. */
const SETTLED_MS = 10_000

export function keepLinked(options: LinkOptions): Link {
  const { clock } = options
  const ending = new AbortController()
  let connection: NatsConnection | undefined
  let ready = false
  let said: string | undefined

  function down(error: unknown): void {
    const reason = saidOf(error)
    if (said === reason) return
    said = reason
    options.changed({ up: false, reason })
  }

  async function listen(fresh: NatsConnection): Promise<void> {
    for await (const status of fresh.status()) {
      if (status.type === 'error') options.complaint(status.error)
      else if (status.type === 'slowConsumer')
        options.complaint(new Error(`slow consumer: ${status.pending} messages wait`))
    }
  }

  /** Resolves when a connection that was made has ended; rejects when none could be made or set up. */
  async function hold(): Promise<void> {
    const fresh = await options.connect()
    connection = fresh
    try {
      if (ending.signal.aborted) return
      listen(fresh).catch(() => undefined)
      await options.setUp(fresh)
      ready = true
      said = undefined
      options.changed({ up: true, server: fresh.getServer() })
      const why = await fresh.closed()
      if (!ending.signal.aborted) down(why ?? new Error(`the connection to NATS ${fresh.getServer()} ended`))
    } finally {
      ready = false
      connection = undefined
      await fresh.close()
    }
  }

  async function run(): Promise<void> {
    for (let failures = 0; !ending.signal.aborted; ) {
      const begunMs = clock.monotonic()
      try {
        await hold()
      } catch (error) {
        down(error)
      }
      failures = clock.monotonic() - begunMs > SETTLED_MS ? 1 : failures + 1
      await sleep(
        clock,
        backoffMs(options.retry, failures, () => options.random()),
        ending.signal,
      )
    }
  }
  const running = run()
  return {
    current: () => (ready ? connection : undefined),
    async stop() {
      ending.abort()
      // A try that is under way ends by itself, within its bound; the node need not wait for it.
      const last = connection
      if (last === undefined) return
      await last.drain().catch(() => undefined)
      await last.close()
      await running
    },
  }
}
