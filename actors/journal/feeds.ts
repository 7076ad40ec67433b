// The feeds of all configured backends: their cursors, their place by name, and what they have in common.
import { AUDIT_CURSOR } from '../../protocol/audit.js'
import type { MessageOf } from '../../protocol/messages.js'
import type { ActorContext } from '../../runtime/actor.js'
import { createSeqSet, type SeqSet } from '../../runtime/wal/seq-set.js'
import type { Wal } from '../../runtime/wal/wal.js'
import { createFeed, type Feed } from './feed.js'
import type { HotFrames } from './hot-frames.js'
import type { Report } from './report.js'
import { createReservation, type Reservation } from './reservation.js'

export interface FeedsOptions {
  readonly context: ActorContext
  readonly wal: Wal
  readonly hot: HotFrames
  readonly writers: readonly string[]
  readonly report: Report
  /** The audit has a cursor too. */
  readonly audited: boolean
  moved(): void
  /** The cursors have to be saved at once: frames wait for their reservation. */
  save(): void
}

export interface Feeds {
  readonly all: ReadonlyMap<string, Feed>
  readonly done: ReadonlyMap<string, SeqSet>
  readonly reservations: ReadonlyMap<string, Reservation>
  subscribe(message: MessageOf<'subscribe'>, from: string): void
  taken(message: MessageOf<'taken'>): void
  acknowledged(message: MessageOf<'done'>): void
  outage(writer: string): void
  recovered(writer: string): void
  pump(): void
  /** No frame comes after those that are there. */
  end(): void
  /** A frame without records: nobody has to get it. */
  skip(seq: number): void
  /** How long this frame is kept in memory for the writers that will take it from there; 0: for none. */
  waitMs(seq: number): number
  /** All backends have everything below. */
  passed(): number
  /** Whether a cursor has moved since the last call. */
  takeMoved(): boolean
  /** Removes the cursors of backends that are not configured any more: they would hold the journal for ever. */
  dropStrangers(): Promise<void>
  close(): Promise<void>
}

/** A writer may name itself by its backend or by its actor's name. */
function backendOf(writer: string): string {
  return writer.startsWith('writer.') ? writer.slice('writer.'.length) : writer
}

export function createFeeds(options: FeedsOptions): Feeds {
  const { context, wal, hot, report } = options
  const all = new Map<string, Feed>()
  const done = new Map<string, SeqSet>()
  const reservations = new Map<string, Reservation>()
  let moved = false
  const move = () => {
    moved = true
    options.moved()
  }

  function open(backend: string): void {
    const saved = wal.cursors.find((each) => each.backend === backend)
    const cursor = createSeqSet(saved?.done)
    // Deleted means done: segments go only when every cursor has passed them, or counted; a file that is gone by itself is counted here.
    const gone = saved === undefined || saved.corrupt ? 0 : cursor.missing(0, wal.oldestSeq())
    if (gone > 0) report.givenUp(backend, 'gone', gone, undefined)
    cursor.add(0, wal.oldestSeq())
    done.set(backend, cursor)
    const reservation = createReservation({
      loaded: saved?.sent,
      tailSeq: wal.tailSeq(),
      done: cursor,
      save: () => options.save(),
      ready: () => all.get(backend)?.pump(),
    })
    reservations.set(backend, reservation)
    const feed = createFeed({
      writer: backend,
      done: cursor,
      reservation,
      hot,
      clock: context.clock,
      tail: () => wal.tailSeq(),
      oldest: () => wal.oldestSeq(),
      openReader: () => wal.reader(),
      send: (to, message) => context.send(to, message),
      givenUp: (reason, frames, records) => report.givenUp(backend, reason, frames, records),
      readFailed: (error) =>
        context.log.error({ backend, err: error }, 'journal: reading back failed, trying again'),
      moved: move,
    })
    all.set(backend, feed)
  }
  for (const writer of options.writers) open(backendOf(writer))

  function feed(writer: string): Feed | undefined {
    const known = all.get(backendOf(writer))
    if (known === undefined)
      context.log.error({ writer }, 'journal: message of a writer that is not configured ignored')
    return known
  }

  return {
    all,
    done,
    reservations,
    subscribe(message, from) {
      feed(message.writer)?.subscribe(from, message)
      move()
    },
    taken: ({ writer, seq, session }) => feed(writer)?.taken(seq, session),
    acknowledged({ writer, seqs }) {
      feed(writer)?.done(seqs)
      moved = true
    },
    outage: (writer) => feed(writer)?.outage(),
    recovered: (writer) => feed(writer)?.recovered(),
    pump() {
      for (const each of all.values()) each.pump()
    },
    end() {
      for (const each of all.values()) each.end()
    },
    skip(seq) {
      for (const cursor of done.values()) cursor.add(seq)
      moved = true
    },
    waitMs(seq) {
      let longest = 0
      for (const each of all.values()) longest = Math.max(longest, each.waitMs(seq))
      return longest
    },
    passed: () => Math.min(wal.tailSeq(), ...[...all.values()].map((each) => each.oldestUndone())),
    takeMoved() {
      const was = moved
      moved = false
      return was
    },
    async dropStrangers() {
      for (const { backend, done: ranges } of wal.cursors) {
        if (all.has(backend) || (options.audited && backend === AUDIT_CURSOR)) continue
        const frames = createSeqSet(ranges).missing(wal.oldestSeq(), wal.tailSeq())
        const text =
          'journal: backend is not configured any more, its cursor is removed; what it had not got is given up'
        context.log[frames > 0 ? 'warn' : 'info']({ backend, frames }, text)
        await wal
          .removeCursor(backend)
          .catch((error: unknown) => context.log.error({ backend, err: error }, 'removing failed'))
      }
    },
    async close() {
      await Promise.all([...all.values()].map((each) => each.close()))
    },
  }
}
