// Feeds one writer: live frames first, the gap behind them at a bounded rate, never more than its credit.
import type { FrameMessage, MessageOf } from '../../protocol/messages.js'
import type { Clock } from '../../runtime/clock.js'
import type { FrameReader } from '../../runtime/wal/read.js'
import type { SeqSet } from '../../runtime/wal/seq-set.js'
import type { HotFrames } from './hot-frames.js'
import { createLane, type Lane } from './lane.js'
import { createPace } from './pace.js'
import type { Reservation } from './reservation.js'
import { createTokenBucket, type TokenBucket } from './token-bucket.js'

/*
 *            done, delivered or gap            live
 *   |-----------------------------------|----------------|
 *   oldest                           gapEnd           tail
 *         gapNext ─►                    liveNext ─►
 *
 * What is done is in the cursor; what is delivered is the writer's until it says done or subscribes anew. Neither is ever delivered.
 */
export interface FeedOptions {
  readonly writer: string
  readonly done: SeqSet
  readonly reservation: Reservation
  readonly hot: HotFrames
  readonly clock: Clock
  tail(): number
  oldest(): number
  openReader(): FrameReader
  send(to: string, message: FrameMessage | MessageOf<'end_of_input'>): void
  /** The journal can't deliver these any more; they are done for this writer. */
  givenUp(reason: 'corrupt' | 'disk_bound', frames: number, records: number | undefined): void
  readFailed(error: unknown): void
  /** The cursor has moved by itself: empty or lost frames. */
  moved(): void
}

export interface Feed {
  subscribe(address: string, subscription: Subscription): void
  /** The writer has copied a frame; of an earlier session it says nothing about what this one was lent. */
  taken(seq: number, session: number): void
  done(seqs: readonly number[]): void
  outage(): void
  recovered(): void
  /** Delivers what may be delivered now. */
  pump(): void
  /** No frame comes after those that are there: who has been given all of them is told, so that it does not wait for more. */
  end(): void
  /** How long a frame in memory is kept for this writer, which will take it when its credit allows; 0: not at all. */
  waitMs(seq: number): number
  /** Seqs of [from, to) that are neither done nor in the writer's hands. */
  undelivered(from: number, to: number): number[]
  lagFrames(): number
  /** The oldest seq that is not done; the tail when all are. */
  oldestUndone(): number
  close(): Promise<void>
}

/** Of this many deliveries one is backfill while live frames wait, so that a gap ends even under full load. */
const BACKFILL_SHARE = 8
const READ_RETRY_MS = 1000

export type Subscription = Pick<MessageOf<'subscribe'>, 'session' | 'creditBytes' | 'backfillBytesPerSecond'>

interface Session {
  readonly id: number
  readonly address: string
  readonly creditBytes: number
  readonly bucket: TokenBucket
  readonly lanes: { readonly live: Lane; readonly backfill: Lane }
}

export function createFeed(options: FeedOptions): Feed {
  const { done, hot, clock, reservation } = options
  const delivered = new Map<number, { rawBytes: number; records: number }>()
  const pace = createPace(clock)
  let session: Session | undefined
  let paused = false
  let inputEnded = false
  let toldEnd = false
  let inFlightBytes = 0
  let liveNext = 0
  let gapNext = 0
  let gapEnd = 0
  let liveInRow = 0
  let cancelTimer: (() => void) | undefined
  const closing = new Set<Promise<void>>()

  function openLane(): Lane {
    return createLane(options.openReader(), {
      lost(fromSeq, toSeq, records) {
        let frames = 0
        for (let seq = done.nextMissing(fromSeq); seq < toSeq; seq = done.nextMissing(seq + 1))
          if (!delivered.has(seq)) frames++
        if (frames > 0) options.givenUp('corrupt', frames, records)
        markDone(fromSeq, toSeq)
      },
      empty: (seq) => markDone(seq, seq + 1),
      ready: pump,
      failed(error) {
        options.readFailed(error)
        // Live frames may be in memory: they do not wait for the disk.
        liveInRow = 0
        pumpAfter(READ_RETRY_MS)
      },
    })
  }

  /** What is delivered stays the writer's to acknowledge. */
  function markDone(from: number, to: number): void {
    for (let seq = from; seq < to; ) {
      let end = seq
      while (end < to && !delivered.has(end)) end++
      done.add(seq, end)
      seq = end + 1
    }
    options.moved()
  }

  function pumpAfter(delayMs: number): void {
    cancelTimer?.()
    cancelTimer = clock.after(delayMs, () => {
      cancelTimer = undefined
      pump()
    })
  }

  /** The lowest seq of [from, to) that is this writer's to get; `to` when there is none. */
  function nextOpen(from: number, to: number): number {
    let seq = done.nextMissing(from)
    while (seq < to && delivered.has(seq)) seq = done.nextMissing(seq + 1)
    return Math.min(seq, to)
  }

  function hasCredit(bytes: number): boolean {
    return inFlightBytes === 0 || inFlightBytes + bytes <= (session?.creditBytes ?? 0)
  }

  function deliver(
    to: Session,
    lane: 'live' | 'backfill',
    seq: number,
    rawBytes: number,
    records: number,
    body: Body,
  ): void {
    delivered.set(seq, { rawBytes, records })
    inFlightBytes += rawBytes
    pace.taken(rawBytes)
    if (lane === 'backfill') to.bucket.take(rawBytes)
    if ('slot' in body) hot.lend(seq, options.writer)
    const suspect = reservation.isSuspect(seq) ? ({ suspect: true } as const) : {}
    options.send(to.address, { type: 'frame', session: to.id, seq, lane, rawBytes, ...suspect, ...body })
  }

  /** True when a frame went out. */
  function deliverFrom(to: Session, lane: 'live' | 'backfill', seq: number): boolean {
    if (!reservation.admits(seq)) return false
    const memory = hot.get(seq)
    if (memory !== undefined) {
      const { slot, generation, rawBytes, encodedBytes, records } = memory
      if (!hasCredit(rawBytes)) return false
      to.lanes[lane].rest()
      deliver(to, lane, seq, rawBytes, records, { slot, generation, encodedBytes })
      return true
    }
    const frame = to.lanes[lane].take(seq)
    if (frame === undefined || !hasCredit(frame.rawBytes)) return false
    to.lanes[lane].drop()
    deliver(to, lane, seq, frame.rawBytes, frame.records, {
      encoded: frame.encoded,
      encodedBytes: frame.encoded.length,
    })
    return true
  }

  /** Delivers one frame, if the rules allow one now. */
  function step(to: Session): boolean {
    liveNext = nextOpen(liveNext, options.tail())
    gapNext = nextOpen(Math.max(gapNext, options.oldest()), gapEnd)
    const live = liveNext < options.tail()
    const gap = gapNext < gapEnd
    if (!gap) to.lanes.backfill.rest()
    const backfillTurn = gap && (!live || liveInRow >= BACKFILL_SHARE - 1)
    if (backfillTurn) {
      if (to.bucket.open()) {
        // While it is read or lacks credit the turn stays, until it was used.
        if (!deliverFrom(to, 'backfill', gapNext)) return false
        liveInRow = 0
        return true
      }
      pumpAfter(to.bucket.waitMs())
    }
    if (!live || !deliverFrom(to, 'live', liveNext)) return false
    liveInRow = Math.min(liveInRow + 1, BACKFILL_SHARE)
    return true
  }

  function pump(): void {
    while (session !== undefined && !paused && step(session));
    if (session === undefined || paused || !inputEnded || toldEnd) return
    if (liveNext < options.tail() || gapNext < gapEnd) return
    toldEnd = true
    options.send(session.address, { type: 'end_of_input' })
  }

  function endSession(): void {
    cancelTimer?.()
    cancelTimer = undefined
    if (session === undefined) return
    const lanes = session.lanes
    session = undefined
    const ended = Promise.all([lanes.live.close(), lanes.backfill.close()]).then(
      () => undefined,
      (error: unknown) => options.readFailed(error),
    )
    closing.add(ended)
    void ended.finally(() => closing.delete(ended))
  }

  /** What was in the hands of a writer that is gone becomes gap again, unless the disk bound has deleted it meanwhile. */
  function takeBack(): void {
    let frames = 0
    let records = 0
    for (const [seq, frame] of delivered) {
      reservation.orphaned(seq)
      if (seq >= options.oldest()) continue
      frames++
      records += frame.records
    }
    delivered.clear()
    inFlightBytes = 0
    hot.giveBackAll(options.writer)
    done.add(0, options.oldest())
    if (frames > 0) options.givenUp('disk_bound', frames, records)
  }

  return {
    subscribe(address, { session: id, creditBytes, backfillBytesPerSecond }) {
      endSession()
      takeBack()
      paused = false
      toldEnd = false
      liveInRow = 0
      liveNext = options.tail()
      gapEnd = liveNext
      gapNext = 0
      const bucket = createTokenBucket(clock, backfillBytesPerSecond, creditBytes)
      session = { id, address, creditBytes, bucket, lanes: { live: openLane(), backfill: openLane() } }
      pump()
    },
    taken(seq, id) {
      if (session?.id === id) hot.giveBack(seq, options.writer)
    },
    done(seqs) {
      for (const seq of seqs) {
        inFlightBytes -= delivered.get(seq)?.rawBytes ?? 0
        delivered.delete(seq)
        if (seq < options.tail()) done.add(seq)
      }
      pump()
    },
    outage() {
      paused = true
      session?.lanes.live.rest()
      session?.lanes.backfill.rest()
    },
    recovered() {
      if (!paused) return
      paused = false
      liveNext = options.tail()
      gapEnd = liveNext
      pump()
    },
    pump,
    end() {
      inputEnded = true
      pump()
    },
    waitMs(seq) {
      if (session === undefined || paused || seq < liveNext || done.has(seq) || delivered.has(seq)) return 0
      return pace.waitMs()
    },
    undelivered(from, to) {
      const seqs: number[] = []
      for (let seq = nextOpen(from, to); seq < to; seq = nextOpen(seq + 1, to)) seqs.push(seq)
      return seqs
    },
    lagFrames: () => done.missing(options.oldest(), options.tail()),
    oldestUndone: () => Math.min(done.nextMissing(options.oldest()), options.tail()),
    async close() {
      endSession()
      await Promise.all(closing)
    },
  }
}

type Body =
  | { readonly slot: number; readonly generation: number; readonly encodedBytes: number }
  | { readonly encoded: Uint8Array; readonly encodedBytes: number }
