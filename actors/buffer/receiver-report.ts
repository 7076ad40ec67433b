// What a backend's receiver says of itself: status, gauges of what waits in JetStream, and when all that waited has been delivered.
import type { ConsumerInfo, JetStreamManager, JsMsg } from '@nats-io/jetstream'
import { saidOf } from '../../protocol/errors.js'
import { LOGS_STREAM } from '../../protocol/subjects.js'
import type { ActorContext } from '../../runtime/actor.js'
import type { LinkState } from '../../runtime/nats/link.js'
import { createStatusLine } from '../status-line.js'
import type { Holding } from './holding.js'

export interface ReceiverReport {
  /** Returns what ends it. */
  start(): () => void
  linkChanged(state: LinkState): void
  /** The connection's manager while there is one. */
  follow(manager: JetStreamManager | undefined): void
  received(message: JsMsg): void
  pullFailed(error: unknown): void
  /** All that is in the stream now is to be delivered, then the supervisor is told; `flush` when nothing more is to come. */
  end(flush: () => void): void
}

export interface ReceiverReportOptions {
  readonly backend: string
  /** Frames of the backend that may be with its writers. */
  readonly window: number
  readonly holding: Pick<Holding, 'frames' | 'rawBytes'>
}

const TICK_MS = 1000
const ASK_EVERY_MS = 5000
const END_ASK_EVERY_MS = 100

export function createReceiverReport(
  context: ActorContext,
  { backend, window, holding }: ReceiverReportOptions,
): ReceiverReport {
  const { clock, log, metrics } = context
  let state: LinkState = { up: false, reason: 'connecting to NATS' }
  let manager: JetStreamManager | undefined
  let info: ConsumerInfo | undefined
  let fault: string | undefined
  let faultMs = Number.NEGATIVE_INFINITY
  let publishedMs = 0
  const tellStatus = createStatusLine(context)
  let redelivered = 0

  async function ask(): Promise<ConsumerInfo | undefined> {
    try {
      info = await manager?.consumers.info(LOGS_STREAM, backend)
    } catch (error) {
      pullFailed(error)
      return undefined
    }
    const lag = (info?.num_pending ?? 0) + (info?.num_ack_pending ?? 0)
    metrics.set('write_lag_frames', lag, { backend })
    // The age of what came last: what waits is younger.
    const ageMs = lag === 0 || publishedMs === 0 ? 0 : clock.now() - publishedMs
    metrics.set('write_lag_seconds', Math.max(0, ageMs) / 1000, { backend })
    metrics.set('buffer_pending', info?.num_pending ?? 0, { backend })
    metrics.set('buffer_ack_pending', info?.num_ack_pending ?? 0, { backend })
    return info
  }

  function pullFailed(error: unknown): void {
    const reason = saidOf(error)
    if (reason !== fault) log.warn({ event: 'buffer', backend, reason }, 'JetStream did not answer')
    fault = reason
    faultMs = clock.monotonic()
  }

  function tell(): void {
    if (clock.monotonic() - faultMs > 2 * ASK_EVERY_MS) fault = undefined
    const reason = state.up
      ? fault
      : `${state.reason}; frames wait in JetStream, and go to ${backend} when it is back`
    const detail = {
      connected: state.up,
      server: state.up ? state.server : '',
      held: holding.frames(),
      heldBytes: holding.rawBytes(),
      pending: info?.num_pending ?? 0,
      unacknowledged: info?.num_ack_pending ?? 0,
      window,
      redelivered,
    }
    tellStatus(detail, reason)
  }

  async function untilDelivered(flush: () => void): Promise<void> {
    let upTo: number | undefined
    let isFlushed = false
    for (;;) {
      upTo ??= await manager?.streams.info(LOGS_STREAM).then(
        (stream) => stream.state.last_seq,
        () => undefined,
      )
      const found = upTo === undefined ? undefined : await ask()
      if (found !== undefined && upTo !== undefined) {
        if (found.num_pending === 0 && !isFlushed) {
          isFlushed = true
          flush()
        }
        const isEmpty = found.num_pending === 0 && found.num_ack_pending === 0
        if (isEmpty || found.ack_floor.stream_seq >= upTo) break
      }
      await new Promise<void>((resolve) => clock.after(END_ASK_EVERY_MS, resolve))
    }
    context.send('supervisor', { type: 'idle', actor: context.name, idle: true })
  }

  return {
    start() {
      tell()
      const cancels = [clock.every(TICK_MS, tell), clock.every(ASK_EVERY_MS, () => void ask())]
      return () => {
        for (const cancel of cancels) cancel()
      }
    },
    linkChanged(next) {
      state = next
      const event = { event: 'buffer', backend, ...next }
      if (next.up) log.info(event, 'frames come from JetStream')
      else log.error(event, 'no frames come from JetStream')
      if (next.up) void ask()
      tell()
    },
    follow: (of) => void (manager = of),
    received({ info: { deliveryCount, timestampNanos } }) {
      metrics.add('buffer_received_total', 1, { backend })
      publishedMs = timestampNanos / 1_000_000
      if (deliveryCount <= 1) return
      redelivered++
      metrics.add('buffer_redelivered_total', 1, { backend })
    },
    pullFailed,
    end: (flush) => void untilDelivered(flush),
  }
}
