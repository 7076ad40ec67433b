// The actor `publisher`: follows the journal as a writer does, and publishes its frames into JetStream, from where writers take them.
import { jetstream, type JetStreamClient, type JetStreamManager, type PubAck } from '@nats-io/jetstream'
import { headers, type NatsConnection } from 'nats'
import {
  AGAIN_HEADER,
  JETSTREAM_CURSOR,
  PARTS_HEADER,
  SERVER_HEADER,
  writePartsNote,
} from '../../protocol/buffer.js'
import { MillraceError } from '../../protocol/errors.js'
import type { FrameMessage } from '../../protocol/messages.js'
import { LOGS_STREAM, logsSubject } from '../../protocol/subjects.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { readFrameHeader } from '../../runtime/frame-header.js'
import { copyPlain } from '../../runtime/frame-regions.js'
import { demandUnchanged } from '../../runtime/slots.js'
import { consumerInfo, ensureConsumer } from '../../runtime/nats/consumers.js'
import type { Link, LinkState } from '../../runtime/nats/link.js'
import { FRAME_STREAMS, openStreamsFor } from '../../runtime/nats/open-streams.js'
import { linkToNats } from '../nats-link.js'
import { createStatusLine } from '../status-line.js'
import { partBytesOf, publishParts } from './parts.js'
import type { PublisherPlan } from './plan.js'
import { publishFault } from './publish-fault.js'
import { createSettling } from './settling.js'
import { createWindow, type OutgoingFrame } from './window.js'

const TICK_MS = 1000
/** Failures in a row after which all is looked at again on a fresh connection: the stream may be gone. */
const FAILURES_MAX = 5
const STOP_WAIT_MS = 1000
/** Smaller messages than this make more of headers than of records. */
export const LOG_PAYLOAD_BYTES_MIN = 16 * 1024

/** Writes to `journal`: subscribe, taken, done; to `supervisor`: status. */
export function publisher(context: ActorContext, plan: PublisherPlan): Actor {
  const { clock, log, metrics, node, slots } = context
  const { nats, buffer, backends } = plan
  const subject = logsSubject(node.clusterId, node.id)
  let link: Link | undefined
  let state: LinkState = { up: false, reason: 'connecting to NATS' }
  const tellStatus = createStatusLine(context)
  /** Of this connection's stream: a lower one means that it was made anew, perhaps without consumers. */
  let newestSeq = 0
  const timers: (() => void)[] = []
  /** The consumers that a frame was published for. */
  const publishedFor = new WeakMap<OutgoingFrame, string>()

  const settling = createSettling({
    clock,
    // Early enough that the window stays full while the answer is on its way; frames stay in memory until then.
    bytesMax: plan.creditBytes / 6,
    settled: (frames) =>
      context.send('journal', {
        type: 'done',
        writer: JETSTREAM_CURSOR,
        seqs: frames.map(({ seq }) => seq),
      }),
    missed(frames) {
      const text = 'the consumer of a backend was removed: frames that it may have missed are published again'
      log.warn({ event: 'buffer', frames: frames.length }, text)
      // Setting up anew makes the consumer again; before that they would miss it once more.
      window.open(undefined)
      for (const frame of frames) window.add(Object.assign(frame, { again: true }))
      void link?.current()?.close()
    },
  })

  const window = createWindow({
    size: buffer.window,
    retry: nats.retry,
    clock,
    random: () => context.random(),
    faultOf: publishFault,
    stored(frame) {
      metrics.add('buffer_published_total', 1)
      metrics.add('buffer_published_bytes_total', frame.encoded.length)
      settling.stored(frame, publishedFor.get(frame) ?? '')
    },
    failed(fault, failures) {
      metrics.add('buffer_publish_failed_total', 1)
      if (failures === 1) log.warn({ event: 'buffer', reason: fault.reason }, 'a frame was not published')
      if (failures >= FAILURES_MAX && !fault.refused) void link?.current()?.close()
      report()
    },
  })

  async function setUp(connection: NatsConnection): Promise<void> {
    const said = (what: string) => log.info({ event: 'nats' }, what)
    const manager = await openStreamsFor(FRAME_STREAMS, connection, nats, said)
    for (const backend of backends) await ensureConsumer(manager, backend, buffer, false)
    newestSeq = 0
    const js = jetstream(connection)
    const { created } = await manager.streams.info(LOGS_STREAM)
    const stream = Date.parse(created).toString(36)
    const consumers = await consumersNow(manager)
    if (consumers === undefined) throw new MillraceError('nats.consumer', 'a consumer was removed meanwhile')
    const made = `${stream}.${consumers}`
    window.open((frame) => publish(connection, js, made, frame))
    settling.open(async () => `${stream}.${(await consumersNow(manager)) ?? 'missing'}`)
    void connection.closed().then(() => {
      settling.open(undefined)
      window.open(undefined)
    })
  }

  /** Of each backend's consumer when it was made; undefined: one is missing. */
  async function consumersNow(manager: JetStreamManager): Promise<string | undefined> {
    const found = await Promise.all(backends.map((backend) => consumerInfo(manager, backend)))
    if (found.includes(undefined)) return undefined
    return found.map((info) => Date.parse(info?.created ?? '').toString(36)).join('.')
  }

  async function publish(
    connection: NatsConnection,
    js: JetStreamClient,
    made: string,
    frame: OutgoingFrame,
  ): Promise<void> {
    const fields = headers()
    fields.set(SERVER_HEADER, connection.info?.server_id ?? '')
    if (frame.again) {
      fields.set(AGAIN_HEADER, '1')
      metrics.add('buffer_published_again_total', 1)
    }
    const partBytes = partBytesOf(frame.encoded.length, connection.info?.max_payload ?? 0)
    let payload = frame.encoded
    if (partBytes !== undefined) {
      const note = { frame: frame.id, bytes: payload.length, partBytes }
      const to = { backends, timeoutMs: buffer.publish_timeout }
      await publishParts(js, subject, note, payload, to)
      metrics.add('buffer_split_total', 1)
      fields.set(PARTS_HEADER, writePartsNote(note))
      payload = new Uint8Array(0)
    }
    publishedFor.set(frame, made)
    const told = { timeout: buffer.publish_timeout, expect: { streamName: LOGS_STREAM } }
    // A stream remembers ids of messages that it kept for none, or not for all: the id is of this stream's life and its consumers'.
    const msgID = `${frame.id}.${made}`
    inOrder(connection, await js.publish(subject, payload, { msgID, headers: fields, ...told }))
  }

  function inOrder(connection: NatsConnection, ack: PubAck): void {
    if (ack.duplicate) metrics.add('buffer_duplicates_total', 1)
    else if (ack.seq > newestSeq) newestSeq = ack.seq
    else {
      void connection.close()
      const text = `the stream ${LOGS_STREAM} was made anew: its numbers begin again at ${ack.seq}`
      throw new MillraceError('nats.stream_anew', text)
    }
  }

  function take(message: FrameMessage): void {
    const { session, seq, slot, encoded, encodedBytes, suspect = false } = message
    // Sent before the journal knew that this actor began anew: it is not lent to this life, and comes again.
    if (session !== context.epoch) return
    let bytes = encoded
    if (slot !== undefined) {
      bytes = copyPlain(new Uint8Array(encodedBytes), slots.encoded(slot).subarray(0, encodedBytes))
      demandUnchanged(slots, message)
      context.send('journal', { type: 'taken', writer: JETSTREAM_CURSOR, session, seq })
    }
    if (bytes === undefined) return
    const { header } = readFrameHeader(bytes)
    window.add({ seq, id: header.id, encoded: bytes, rawBytes: message.rawBytes, again: suspect })
  }

  function settlingFault(): string | undefined {
    const said = settling.fault()
    return said === undefined
      ? undefined
      : `NATS does not tell of its consumers (${said}); frames stay in the journal`
  }

  function report(): void {
    metrics.set('buffer_window', window.inFlight())
    const fault = window.fault() ?? settlingFault()
    const reason = state.up ? fault : `${state.reason}; frames wait in the journal`
    const detail = {
      connected: state.up,
      server: state.up ? state.server : '',
      window: buffer.window,
      inFlight: window.inFlight(),
      waiting: window.waiting(),
      unsettled: settling.frames(),
    }
    tellStatus(detail, reason)
  }

  return {
    start() {
      context.send('journal', {
        type: 'subscribe',
        writer: JETSTREAM_CURSOR,
        session: context.epoch,
        creditBytes: plan.creditBytes,
        // No bound: what bounds it is the window.
        backfillBytesPerSecond: 0,
      })
      link = linkToNats(context, nats, {
        name: `millrace publisher ${node.clusterId}/${node.id}`,
        payloadBytesMin: LOG_PAYLOAD_BYTES_MIN,
        setUp,
        changed(next) {
          state = next
          // Newest first when it is back, and nothing is held in memory for it meanwhile.
          context.send('journal', { type: next.up ? 'recovered' : 'outage', writer: JETSTREAM_CURSOR })
          const event = { event: 'buffer', ...next }
          if (next.up) log.info(event, 'frames go to JetStream')
          else log.error(event, 'frames wait in the journal: no way into JetStream')
          report()
        },
      })
      timers.push(clock.every(TICK_MS, report))
      report()
    },
    on: { frame: take, end_of_input: () => settling.hurry() },
    async stop() {
      for (const cancel of timers) cancel()
      window.stop()
      settling.hurry()
      const isBusy = () => window.inFlight() > 0 || settling.frames() > 0
      for (let waitedMs = 0; isBusy() && waitedMs < STOP_WAIT_MS; waitedMs += 20)
        await new Promise<void>((resolve) => clock.after(20, resolve))
      settling.stop()
      await link?.stop()
    },
  }
}
