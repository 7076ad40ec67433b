// The actor `buffer.<backend>`: takes frames from the backend's consumer in JetStream and feeds the writer as the journal would.
import { jetstream, type JetStreamManager, type JsMsg } from '@nats-io/jetstream'
import type { NatsConnection } from 'nats'
import type { MessageOf } from '../../protocol/messages.js'
import { LOGS_STREAM } from '../../protocol/subjects.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { consumerInfo, ensureConsumer } from '../../runtime/nats/consumers.js'
import type { Link } from '../../runtime/nats/link.js'
import { FRAME_STREAMS, openStreamsFor } from '../../runtime/nats/open-streams.js'
import { openChecksum } from '../journal/folder.js'
import { linkToNats } from '../nats-link.js'
import { createAcknowledge } from './acknowledge.js'
import { createHolding, type Delivery, type HeldFrame } from './holding.js'
import { createJoins } from './joins.js'
import {
  cameInLife,
  deliveryOf,
  type InParts,
  maySentBefore,
  readFrame,
  readLogMessage,
  serverLifeOf,
} from './message.js'
import { readParts, removeParts } from './parts.js'
import type { ReceiverPlan } from './plan.js'
import { LOG_PAYLOAD_BYTES_MIN } from './publisher.js'
import { type Pulling, startPulling } from './pulling.js'
import { createReceiverReport } from './receiver-report.js'
import { createSweep } from './sweep.js'

/** Lives of this actor number their frames apart: the writer may outlive one of them. */
const SEQS_PER_LIFE = 2 ** 32
const DONE_REMEMBERED = 16_384
const ACKS_OWED_MAX = 65_536
/** Messages of one request; more frames than that fit into no writer's memory anyway. */
const REQUEST_MAX = 64
const FRAME_BYTES_FIRST = 512 * 1024
/**
 * A server that was killed forgets which messages it had handed out in its last moments (it saves that a few times a second), and
 * hands them out as if for the first time.
 */
const FORGOTTEN_MAX = 512
/** A consumer that is so much younger than its stream had a predecessor, or its backend is new. */
const YOUNG_MS = 10_000
/** Between the clocks of servers that stamp messages and consumers. */
const SKEW_MS = 5000
/** Whoever publishes nonsense does so often; all are counted. */
const REFUSED_LOG_MS = 10_000
const PARTS_AGAIN_MS = 5000
const PARTS_TRIES_MAX = 12

/** Writes to `writer.<backend>`: frame, end_of_input; to `supervisor`: status, idle. */
export function receiver(context: ActorContext, { nats, buffer, backend }: ReceiverPlan): Actor {
  const { clock, log, metrics, node } = context
  const writer = `writer.${backend}`
  const checksum = context.local('frame_checksum', openChecksum)
  const holding = createHolding(context.epoch * SEQS_PER_LIFE + 1, DONE_REMEMBERED)
  const acknowledge = createAcknowledge(ACKS_OWED_MAX)
  const report = createReceiverReport(context, { backend, window: buffer.ack_pending_max, holding })
  let link: Link | undefined
  let pulling: Pulling | undefined
  let manager: JetStreamManager | undefined
  let subscribed: MessageOf<'subscribe'> | undefined
  let isOut = false
  let isHeld = false
  let maybeSentTo = 0
  /** Messages stamped before this may have been delivered to a consumer of the same name that was removed. */
  let maybeSentBeforeMs = 0
  let lastDeliverySeq = 0
  let serverLife: string | undefined
  let refusedMs = Number.NEGATIVE_INFINITY
  /** Of late: what a request may bring. */
  let frameBytes = FRAME_BYTES_FIRST
  const timers: (() => void)[] = []
  const joins = createJoins(
    (bytes) =>
      subscribed !== undefined &&
      (holding.frames() === 0 || holding.rawBytes() + bytes <= subscribed.creditBytes),
    () => pulling?.wake(),
  )

  function room(): number {
    if (subscribed === undefined || isOut || isHeld) return 0
    const joinBytes = joins.bytes()
    const left = subscribed.creditBytes - holding.rawBytes() - joinBytes
    const fits = Math.min(REQUEST_MAX, Math.floor(left / frameBytes))
    return holding.frames() === 0 && joinBytes === 0 ? Math.max(1, fits) : Math.max(0, fits)
  }

  async function setUp(connection: NatsConnection): Promise<void> {
    manager = await openStreamsFor(FRAME_STREAMS, connection, nats, (what) =>
      log.info({ event: 'nats' }, what),
    )
    const info = await ensureConsumer(manager, backend, buffer, true)
    const { delivered, created } = info
    serverLife = serverLifeOf(connection.info, info)
    const { state, created: streamCreated } = await manager.streams.info(LOGS_STREAM)
    maybeSentTo = Math.min(state.last_seq, delivered.stream_seq + FORGOTTEN_MAX)
    lastDeliverySeq = 0
    const isYoung = Date.parse(created) - Date.parse(streamCreated) > YOUNG_MS
    maybeSentBeforeMs = isYoung ? Date.parse(created) + SKEW_MS : 0
    const consumer = await jetstream(connection).consumers.get(LOGS_STREAM, backend)
    acknowledge.attach(connection)
    pulling = startPulling({ consumer, clock, room, take, failed: pullFailed })
    report.follow(manager)
    const sweep = createSweep(manager, backend, clock, (error) =>
      log.warn({ event: 'buffer', backend, err: error }, 'pieces that nobody needs were not removed'),
    )
    void connection.closed().then(() => {
      sweep.stop()
      pulling?.stop()
      report.follow(undefined)
      acknowledge.detach()
    })
  }

  function take(message: JsMsg): void {
    const delivery = deliveryOf(message)
    report.received(message)
    const found = readLogMessage(message, checksum)
    if (found.kind === 'foreign') return refuse(delivery, message.subject, found.reason)
    if (isKnown(found.id, delivery)) return
    const suspect = maySentBefore(message) || isOfPredecessor(message) || isForgotten(message, delivery)
    if (found.kind === 'frame') return hand(found, delivery, suspect, undefined)
    joins.add({
      bytes: found.note.bytes,
      delivery,
      join: () =>
        join(found, message, delivery, suspect).catch((error: unknown) => {
          report.pullFailed(error)
          acknowledge.giveBack(delivery, PARTS_AGAIN_MS)
        }),
    })
  }

  /** Handed out by an earlier life of the server, which was killed before it had saved that. */
  function isForgotten(message: JsMsg, { streamSeq }: Delivery): boolean {
    return streamSeq <= maybeSentTo && !cameInLife(message, serverLife)
  }

  function isOfPredecessor({ info }: JsMsg): boolean {
    // Deliveries are numbered: that they begin again means that the consumer was removed and made anew meanwhile.
    if (info.deliverySequence < lastDeliverySeq) {
      maybeSentBeforeMs = Number.POSITIVE_INFINITY
      void link?.current()?.close()
    }
    lastDeliverySeq = info.deliverySequence
    return info.timestampNanos / 1_000_000 < maybeSentBeforeMs
  }

  /** A consumer that somebody has removed is made anew by setting up a fresh connection. */
  function pullFailed(error: unknown): void {
    report.pullFailed(error)
    if (manager === undefined) return
    consumerInfo(manager, backend).then(
      (found) => void (found === undefined && link?.current()?.close()),
      () => undefined,
    )
  }

  function isKnown(id: string, delivery: Delivery): boolean {
    const known = holding.knows(id, delivery)
    if (known === 'done') acknowledge.ack(delivery)
    return known !== 'new'
  }

  function refuse(delivery: Delivery, subject: string, reason: string): void {
    metrics.add('nats_refused_total', 1, { subject: 'logs', reason })
    acknowledge.refuse(delivery, reason)
    if (clock.monotonic() - refusedMs < REFUSED_LOG_MS) return
    refusedMs = clock.monotonic()
    const text = 'a message in the log stream that is no frame of ours is removed'
    log.error({ event: 'buffer', backend, subject, seq: delivery.streamSeq, reason }, text)
  }

  function hand(
    frame: { readonly id: string; readonly rawBytes: number; readonly encoded: Uint8Array },
    delivery: Delivery,
    suspect: boolean,
    partsOf: string | undefined,
  ): void {
    const { id, rawBytes, encoded } = frame
    frameBytes = Math.max(rawBytes, Math.floor(frameBytes * 0.95))
    // Nothing is asked for before there is a subscription.
    const session = subscribed?.session ?? 0
    const { seq } = holding.begin({ id, rawBytes, delivery, partsOf })
    const told = {
      type: 'frame',
      session,
      seq,
      lane: 'live',
      encoded,
      rawBytes,
      encodedBytes: encoded.length,
    } as const
    context.send(writer, suspect ? { ...told, suspect } : told)
  }

  /** A frame in pieces. */
  async function join(
    { id, note }: InParts,
    message: JsMsg,
    delivery: Delivery,
    suspect: boolean,
  ): Promise<void> {
    // It may have come on another message while this one waited.
    if (manager === undefined || isKnown(id, delivery)) return
    const encoded = await readParts(manager, backend, message.subject, note)
    if (isKnown(id, delivery)) return
    if (encoded !== undefined) {
      const frame = readFrame(encoded, checksum)
      if (frame.kind !== 'frame' || frame.id !== id)
        return refuse(delivery, message.subject, frame.kind === 'foreign' ? frame.reason : 'parts_note')
      return hand(frame, delivery, suspect, message.subject)
    }
    // Published twice, and the backend has it by the other message: its pieces were removed with that.
    if (maySentBefore(message) && message.info.deliveryCount === 1) return acknowledge.ack(delivery)
    if (message.info.deliveryCount >= PARTS_TRIES_MAX)
      return refuse(delivery, message.subject, 'parts_missing')
    acknowledge.giveBack(delivery, PARTS_AGAIN_MS)
  }

  function settle(frame: HeldFrame): void {
    const { partsOf, id } = frame
    for (const delivery of frame.deliveries.values()) {
      if (partsOf === undefined) {
        acknowledge.ack(delivery)
        continue
      }
      acknowledge
        .confirmed(delivery)
        .then(() => (manager === undefined ? undefined : removeParts(manager, backend, partsOf, id)))
        .catch((error: unknown) => report.pullFailed(error))
    }
  }

  function giveBackAll(): void {
    for (const { deliveries } of holding.drop())
      for (const delivery of deliveries.values()) acknowledge.giveBack(delivery)
    for (const delivery of joins.drop()) acknowledge.giveBack(delivery)
  }

  function keepHeld(): void {
    for (const { deliveries } of holding.all())
      for (const delivery of deliveries.values()) acknowledge.working(delivery)
    for (const delivery of joins.deliveries()) acknowledge.working(delivery)
  }

  return {
    start() {
      link = linkToNats(context, nats, {
        name: `millrace writer ${node.clusterId}/${node.id} ${backend}`,
        payloadBytesMin: LOG_PAYLOAD_BYTES_MIN,
        setUp,
        changed: report.linkChanged,
      })
      timers.push(clock.every(buffer.ack_wait / 3, keepHeld), report.start())
    },
    on: {
      subscribe(message) {
        // A writer that was started anew has nothing of what the one before was handed.
        giveBackAll()
        subscribed = message
        pulling?.wake()
      },
      done({ seqs }) {
        for (const seq of seqs) {
          const frame = holding.done(seq)
          if (frame !== undefined) settle(frame)
        }
        joins.next()
        pulling?.wake()
      },
      taken: () => undefined,
      outage: () => void (isOut = true),
      recovered() {
        isOut = false
        pulling?.wake()
      },
      hold({ held }) {
        isHeld = held
        pulling?.wake()
      },
      end_of_input: () => report.end(() => context.send(writer, { type: 'end_of_input' })),
    },
    async stop() {
      for (const cancel of timers) cancel()
      pulling?.stop()
      giveBackAll()
      await link?.stop()
    },
  }
}
