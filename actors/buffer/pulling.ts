// Asks a consumer for messages as long as there is room for them; one request at a time, so that none comes unasked.
import type { Consumer, ConsumerMessages, JsMsg } from '@nats-io/jetstream'
import { type Clock, sleep } from '../../runtime/clock.js'

export interface Pulling {
  /** There may be room now. */
  wake(): void
  stop(): void
}

export interface PullingOptions {
  readonly consumer: Consumer
  readonly clock: Clock
  /** How many messages may come now; 0: none. */
  room(): number
  take(message: JsMsg): void
  /** A request failed; pulling goes on after a moment. */
  failed(error: unknown): void
}

/** A request waits so long for the first message. */
const EXPIRES_MS = 5000
const AGAIN_MS = 500

export function startPulling({ consumer, clock, room, take, failed }: PullingOptions): Pulling {
  const ending = new AbortController()
  let wake: () => void = () => undefined
  let open: ConsumerMessages | undefined

  async function run(): Promise<void> {
    while (!ending.signal.aborted) {
      const most = room()
      if (most <= 0) {
        await new Promise<void>((resolve) => (wake = resolve))
        continue
      }
      try {
        open = await consumer.fetch({ max_messages: most, expires: EXPIRES_MS })
        for await (const message of open) take(message)
      } catch (error) {
        if (ending.signal.aborted) return
        failed(error)
        await sleep(clock, AGAIN_MS, ending.signal)
      }
    }
  }
  void run()
  return {
    wake: () => wake(),
    stop() {
      ending.abort()
      open?.stop()
      wake()
    },
  }
}
