// The Loki backend: sends pushes, and finds in a refused one the entries that Loki can never take.
import type { LokiOptions } from '../../protocol/config/backends.js'
import { MillraceError } from '../../protocol/errors.js'
import { faultOfError, faultOfStatus } from './http/fault.js'
import { reasonOf, type Verdict, verdictOf } from './loki/answer.js'
import { createLokiClient, type LokiAnswer, type LokiClient } from './loki/client.js'
import { createBlocks, blocksBytes } from './loki/blocks.js'
import { createDivider, isOneStream } from './loki/divide.js'
import { createDoubt, neverSent } from './loki/doubt.js'
import { createLokiEncoder, lokiEncoderBytes, PUSH_BYTES_MAX, type PushBatch } from './loki/encoder.js'
import { labelsOf } from './loki/labels.js'
import type { Entry } from './loki/push.js'
import { createStreams } from './loki/streams.js'
import { type Backend, type BackendContext, failed, type Result, type Turn } from './writer.js'

export const lokiKernelBytes = (options: LokiOptions): number => lokiEncoderBytes(options) + blocksBytes()

const TRIES_BEFORE_SPLIT = 3
/** A server error that one entry alone keeps causing for this long, while others of its lane are taken, is that entry's fault. */
const POISON_MS = 60_000
/** max_chunk_age / 2: how far behind its stream's newest an entry may be. */
const BEHIND_MS = 3_600_000
/** Statuses of a gateway that lets nobody through to Loki. */
const CLOSED_DOORS = new Set([401, 403, 502, 504])
/** Below this a 429 is not about the size of the push. */
const SPLIT_BYTES_MIN = 128 * 1024

export function createLoki(context: BackendContext<PushBatch>, options: LokiOptions): Backend<PushBatch> {
  const { name, clock, log } = context
  const what = `loki ${options.url}`
  const { labels, colliding } = labelsOf(options.labels)
  if (colliding.length > 0)
    log.warn({ backend: name, colliding }, 'labels whose names fall together at Loki are left out')
  if (options.batch_bytes > PUSH_BYTES_MAX) {
    log.warn(
      { backend: name, batch_bytes: options.batch_bytes },
      `batch_bytes is bounded to ${PUSH_BYTES_MAX}: Loki refuses larger pushes`,
    )
  }
  const streams = createStreams(
    { labels, tenant: options.tenant ?? '', lanes: options.lanes, streamsMax: options.streams_max },
    clock,
  )
  const encoder = createLokiEncoder(context, options, streams)
  const divider = createDivider(createBlocks(context.kernel))
  const doubt = createDoubt({
    backend: name,
    log,
    metrics: context.metrics,
    divider,
    faultOf: (error, answer) =>
      answer !== undefined && answer.status !== 200
        ? faultOfStatus(`${what} (query)`, answer.status, answer.retryAfter, clock.now())
        : faultOfError(`${what} (query)`, error, false, options.timeout),
  })
  const laneStoredMs = new Map<number, number>()
  let client: LokiClient | undefined

  async function attempt(batch: PushBatch, turn: Turn): Promise<Result<PushBatch>> {
    const connected = (client ??= createLokiClient(name, options))
    const known = await doubt.clear(batch, (parameters) => connected.query(parameters, turn.signal))
    if (known !== undefined) return known
    let answer: LokiAnswer
    try {
      answer = await connected.push(batch.body, turn.signal)
    } catch (error) {
      if (!neverSent(error)) doubt.unknown(batch)
      return failed(batch, faultOfError(what, error, turn.signal.aborted, options.timeout))
    }
    if (answer.status === 204) {
      laneStoredMs.set(batch.lane, clock.monotonic())
      encoder.taken(batch.rawBytes)
      return { settled: batch.parts, refused: [], next: [] }
    }
    if (answer.status >= 500) doubt.unknown(batch)
    return judge(batch, turn, answer, verdictOf(answer.status, answer.text))
  }

  function judge(batch: PushBatch, turn: Turn, answer: LokiAnswer, verdict: Verdict): Result<PushBatch> {
    switch (verdict.kind) {
      case 'stored':
        return { settled: batch.parts, refused: [], next: [] }
      case 'poison':
        return poison(batch, turn, answer, verdict.reason)
      case 'too_large':
        encoder.shrink(batch.rawBytes)
        return isolate(batch, 'too_large', answer)
      case 'outside':
        return withoutOutside(batch, verdict, answer)
      case 'behind':
        return withoutLate(batch, verdict.edgeMs, answer)
      case 'retry':
        return again(batch, turn, answer)
      case 'suspect':
        return suspect(batch, turn, answer)
    }
  }

  /** Unknown words from something that never stored anything are no verdict about entries: it may not even be Loki. */
  function poison(batch: PushBatch, turn: Turn, answer: LokiAnswer, reason: string): Result<PushBatch> {
    const trusted = reason !== 'refused' || Number.isFinite(turn.storedMs)
    if (trusted) return isolate(batch, reason, answer)
    return failed(batch, faultOfStatus(what, answer.status, answer.retryAfter, clock.now()))
  }

  /** A 400 that means 429 is overload too. A push larger than the server's burst is 429 for ever, so it shrinks. */
  function again(batch: PushBatch, turn: Turn, answer: LokiAnswer): Result<PushBatch> {
    const status = answer.status === 400 && /limit/i.test(answer.text) ? 429 : answer.status
    const fault = faultOfStatus(what, status, answer.retryAfter, clock.now())
    const shrinks =
      fault.kind === 'overload' && turn.number >= TRIES_BEFORE_SPLIT && batch.rawBytes > 2 * SPLIT_BYTES_MIN
    if (!shrinks || batch.records === 1) return failed(batch, fault)
    encoder.shrink(batch.rawBytes)
    return { settled: [], refused: [], next: divider.halves(divider.entriesOf(batch), batch), fault }
  }

  /**
   * A 500 is an outage, or one entry that breaks the server each time. Halving does no harm, but burying does: so only what is alone,
   * and only when others of the same lane were stored meanwhile.
   */
  function suspect(batch: PushBatch, turn: Turn, answer: LokiAnswer): Result<PushBatch> {
    const fault = faultOfStatus(what, answer.status, answer.retryAfter, clock.now())
    if (turn.number < TRIES_BEFORE_SPLIT) return failed(batch, fault)
    if (batch.records > 1)
      return { settled: [], refused: [], next: divider.halves(divider.entriesOf(batch), batch), fault }
    const sinceMs = clock.monotonic() - turn.firstMs
    const othersStored = (laneStoredMs.get(batch.lane) ?? Number.NEGATIVE_INFINITY) > turn.firstMs - POISON_MS
    if (sinceMs < POISON_MS || !othersStored || turn.storedMs < turn.firstMs) return failed(batch, fault)
    return {
      settled: [],
      refused: divider.refused(divider.entriesOf(batch), batch, 'server_error', answer.text),
      next: [],
    }
  }

  /** The poison entry alone is dead; of several, halves. A blocked stream is blocked with all its entries. */
  function isolate(batch: PushBatch, reason: string, answer: LokiAnswer): Result<PushBatch> {
    const entries = divider.entriesOf(batch)
    const alone = entries.length === 1 || (answer.status === 260 && isOneStream(entries))
    if (!alone) return { settled: [], refused: [], next: divider.halves(entries, batch) }
    return { settled: [], refused: divider.refused(entries, batch, reason, answer.text), next: [] }
  }

  /** All entries outside are refused, so they go at once; the rest may have been stored, and is sent once more as it was. */
  function withoutOutside(
    batch: PushBatch,
    verdict: Verdict & { kind: 'outside' },
    answer: LokiAnswer,
  ): Result<PushBatch> {
    const entries = divider.entriesOf(batch)
    const isOut = ({ tsMs }: Entry) =>
      verdict.reason === 'too_old' ? tsMs < verdict.edgeMs : tsMs >= verdict.edgeMs
    const out = entries.filter(isOut)
    if (out.length === 0) return isolate(batch, verdict.reason, answer)
    const rest = entries.filter((entry) => !isOut(entry))
    const refused = divider.refused(out, batch, verdict.reason, answer.text)
    return { settled: [], refused, next: rest.length === 0 ? [] : [divider.batchOf(rest, batch)] }
  }

  /** Another node has moved the stream on: what it left behind goes to the stream's repair twin, and what comes later learns from it. */
  function withoutLate(batch: PushBatch, edgeMs: number, answer: LokiAnswer): Result<PushBatch> {
    const entries = divider.entriesOf(batch)
    if (!isOneStream(entries)) return { settled: [], refused: [], next: divider.halves(entries, batch) }
    const track = streams.find(entries[0]?.labels ?? '')
    const late = entries.filter((entry) => entry.tsMs < edgeMs)
    if (late.length === 0 || track === undefined) return isolate(batch, reasonOf(answer.text), answer)
    track.newestMs = Math.max(track.newestMs, edgeMs + BEHIND_MS)
    const rest = entries.filter((entry) => entry.tsMs >= edgeMs)
    const twin = streams.track(track.stream, track.level + 1)
    const next = rest.length === 0 ? [] : [divider.batchOf(rest, batch)]
    if (twin === undefined)
      return { settled: [], refused: divider.refused(late, batch, 'too_far_behind', answer.text), next }
    twin.newestMs = Math.max(twin.newestMs, late.at(-1)?.tsMs ?? 0)
    const moved = late.map((entry) => ({ ...entry, labels: twin.labels.toString() }))
    return { settled: [], refused: [], next: [...next, divider.batchOf(moved, batch)] }
  }

  return {
    /** Nearly any answer will do: /ready may be hidden behind a gateway, and Loki says 503 there for a while in which it takes pushes. */
    async open(signal) {
      // A restarted writer may get frames before this: the client that sends them is not closed under them.
      client ??= createLokiClient(name, options)
      const { status } = await client.probe(signal)
      if (CLOSED_DOORS.has(status)) {
        const { reason } = faultOfStatus(what, status, undefined, clock.now())
        throw new MillraceError('loki.unreachable', reason)
      }
    },
    encode: (frame) => encoder.encode(frame),
    flush: (begunMs) => encoder.flush(begunMs),
    relieve: (ordinal) => encoder.relieve(ordinal),
    attempt,
    async close() {
      await client?.close()
    },
  }
}
