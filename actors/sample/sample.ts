// sample: decides which records are kept, emits them into the open frame, seals frames, and opens or closes the flow of the sources.
import type { RecordsOptions } from '../../protocol/config/node.js'
import type { BatchMessage } from '../../protocol/messages.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { WORD } from '../../kernel/table.js'
import { ingestMemory } from '../ingest-memory.js'
import { createOriginPositions } from './origins.js'
import { createLiveRates } from './live-rates.js'
import { createSealer } from './sealer.js'
import { createStreams, type Streams } from './streams.js'

export interface SampleOptions {
  readonly records: RecordsOptions
  /** The source actors that flow messages go to. */
  readonly sources: readonly string[]
  /** Told of entries [from, to) of the scanner's table once they are judged, for commands that show verdicts; a node has none. */
  readonly judged?: (streams: Streams, from: number, to: number) => void
}

/** Between two ticks at least. */
const TICK_MS = 20
const NEVER = Number.POSITIVE_INFINITY
/** What the services had is told to the actor `traffic` this often. */
const STEP_MS = 1000
/**
 * Reading stops below this many free slots, and frames grow on until they are full: what is read already must fit the rest, for to wait
 * for a slot stops this whole thread, a source's 429 and its verbs with it, as long as the journal is full.
 */
const SLOTS_RESERVE = 4
/** Frames that only carry positions are sealed this often. */
const POSITIONS_AGE_MS = 1000

export function sample(context: ActorContext, options: SampleOptions): Actor {
  const { scanner, codec, frameBytesMax } = ingestMemory(context, options.records)
  const origins = createOriginPositions()
  const streams = createStreams(context, scanner, origins.get)
  const live = createLiveRates(context, scanner, streams)
  const sealer = createSealer(context, scanner, codec, frameBytesMax, streams, origins)
  let openedAtMs = 0
  let dirtyAtMs = 0
  let steppedAtMs = context.clock.monotonic()
  let flowing = true
  /** An operator has stopped the sources. */
  let held = false
  let ended = false
  let cancelTick = (): void => undefined
  let cancelStep = (): void => undefined
  let ticking = false
  let tickAtMs = NEVER

  function onBatch(batch: BatchMessage): void {
    live.beforeBatch()
    const { origin, from, to, carry } = batch
    if (batch.identity !== undefined) origins.identified(origin, batch.identity)
    if (from < to) take(batch)
    if (batch.endOffset >= 0) origins.advance(origin, batch.endOffset, carry)
    if (batch.token !== undefined) sealer.wait(batch.token)
    if (dirtyAtMs === 0 && origins.dirty()) dirtyAtMs = context.clock.monotonic()
    if (scanner.frameBytesUsed() >= options.records.frame_bytes && !isShort()) seal()
    setFlow()
    hurry()
  }

  function take({ origin, from, to, base, offset, carry, context: ptr = 0 }: BatchMessage): void {
    if (!scanner.judge(from, to, ptr, context.clock.now(), streams.meet)) {
      // The stream table is full, which reset_streams prevents; were it to happen, nothing may be lost.
      throw new Error('the stream table is full')
    }
    options.judged?.(streams, from, to)
    let dropped = 0
    for (let record = from; record < to; record++) dropped += scanner.word(record, WORD.DROPPED)
    if (dropped > 0) context.metrics.add('fields_dropped_total', dropped)
    for (let at = from; at < to; ) {
      const next = scanner.emit(at, to, ptr)
      if (next > at) origins.advance(origin, offset + scanner.word(next - 1, WORD.LINE_END) - base, carry)
      if (next < to) {
        if (next === at && scanner.frameCount() === 0)
          throw new Error('a record does not fit into an empty frame')
        seal()
      }
      at = next
    }
    if (openedAtMs === 0 && scanner.frameCount() > 0) openedAtMs = context.clock.monotonic()
  }

  function seal(): void {
    durable(sealer.seal())
    openedAtMs = 0
    dirtyAtMs = 0
  }

  const isShort = (): boolean => context.slots.free() < SLOTS_RESERVE

  function setFlow(): void {
    const open = !held && !isShort()
    if (open === flowing) return
    flowing = open
    if (!open) context.metrics.add('flow_stopped_total', 1, { reason: held ? 'operator' : 'journal' })
    const reason = held ? 'drained by an operator; resume with millrace ctl' : 'the journal is behind or full'
    for (const source of ['parse', ...options.sources]) {
      context.send(source, open ? { type: 'flow', open } : { type: 'flow', open, reason })
    }
  }

  /** When the next tick has something to do. Fifty a second, each for nothing, were half of what an idle node costs. */
  function tickDueMs(): number {
    if (sealer.waiting() || !(flowing || held)) return 0
    const recordsMs = scanner.frameCount() > 0 ? openedAtMs + options.records.batch_age_max : NEVER
    const positionsMs = dirtyAtMs > 0 ? dirtyAtMs + POSITIONS_AGE_MS : NEVER
    return Math.min(recordsMs, positionsMs)
  }

  /** After anything that may be due before the tick that is waited for. */
  function hurry(): void {
    if (!ticking) return
    const now = context.clock.monotonic()
    const atMs = Math.max(now + TICK_MS, tickDueMs())
    if (atMs >= tickAtMs) return
    cancelTick()
    tickAtMs = atMs
    cancelTick = context.clock.after(Math.ceil(atMs - now), () => {
      tickAtMs = NEVER
      tick()
      hurry()
    })
  }

  function tick(): void {
    const now = context.clock.monotonic()
    live.betweenBatches()
    const recordsDue = scanner.frameCount() > 0 && now - openedAtMs >= options.records.batch_age_max
    const positionsDue = dirtyAtMs > 0 && now - dirtyAtMs >= POSITIONS_AGE_MS
    // Never wait for a slot in a timer: the frame can grow on until one is free.
    if ((recordsDue || positionsDue || sealer.waiting()) && context.slots.free() > 0) seal()
    setFlow()
  }

  function step(): void {
    const now = context.clock.monotonic()
    const elapsedMs = now - steppedAtMs
    steppedAtMs = now
    live.betweenBatches()
    context.send('traffic', { type: 'traffic', elapsedMs, services: streams.take() })
  }

  function durable(tokens: readonly number[]): void {
    if (tokens.length > 0)
      for (const source of options.sources) context.send(source, { type: 'durable', tokens })
  }

  return {
    start() {
      context.send('journal', { type: 'ingest_started', epoch: context.epoch })
      ticking = true
      hurry()
      cancelStep = context.clock.every(STEP_MS, step)
      live.start()
    },
    stop() {
      ticking = false
      cancelTick()
      cancelStep()
      live.stop()
      streams.take()
      if (!ended) finish()
    },
    on: {
      batch: onBatch,
      origin({ origin }) {
        const known = origins.get(origin.id) !== undefined
        origins.opened(origin)
        if (known) streams.refresh(origin)
      },
      origin_closed({ origin, done }) {
        origins.closed(origin, done)
        if (dirtyAtMs === 0 && origins.dirty()) dirtyAtMs = context.clock.monotonic()
        hurry()
      },
      reset_streams() {
        seal()
        streams.reset()
      },
      committed({ frames, epoch }) {
        if (epoch !== context.epoch) return
        durable(sealer.committed(frames))
        setFlow()
        hurry()
      },
      hold(message) {
        held = message.held
        setFlow()
        hurry()
      },
      end_of_input: finish,
    },
  }

  function finish(): void {
    ended = true
    // Nobody follows the traffic any more, but the metrics are to be whole.
    streams.take()
    seal()
    context.send('journal', { type: 'end_of_input' })
  }
}
