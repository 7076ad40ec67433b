// The journal: commits the ingest chain's frames to disk, answers how far each source is committed, and feeds every writer at its pace.
import { AUDIT_CURSOR } from '../protocol/audit.js'
import type { JournalOptions } from '../protocol/config/node.js'
import type { MessageOf } from '../protocol/messages.js'
import type { Actor, ActorContext } from '../runtime/actor.js'
import { readFrameHeader } from '../runtime/frame-header.js'
import { frameHeaders } from './frame-headers.js'
import { type AuditHold, createAuditHold } from './journal/audit-hold.js'
import { type Commits, createCommits, type PendingFrame } from './journal/commits.js'
import { createCursorKeeper, type CursorKeeper } from './journal/cursors.js'
import { createFeeds, type Feeds } from './journal/feeds.js'
import { watchFinishedFiles } from './journal/finished-files.js'
import { openFolder } from './journal/folder.js'
import { createHotFrames, SWEEP_MS } from './journal/hot-frames.js'
import { createReport } from './journal/report.js'
import type { Reservation } from './journal/reservation.js'
import { makeRoom } from './journal/room.js'
import { createTaps } from './journal/taps.js'
import type { FolderLock } from '../runtime/wal/lock.js'
import type { Wal } from '../runtime/wal/wal.js'

export interface JournalActorOptions {
  readonly journal: JournalOptions
  /** Names of the configured backends. */
  readonly writers: readonly string[]
  /** The backends that the audit compares, and how much may be held for it; left out: there is no audit. */
  readonly audit?: {
    readonly backends: readonly string[]
    readonly holdBytesMax: number
    /** It sends what is missing again. */
    readonly mends: boolean
  }
}

interface Opened {
  readonly wal: Wal
  readonly lock: FolderLock
  readonly commits: Commits
  readonly keeper: CursorKeeper
  readonly feeds: Feeds
  readonly hold: AuditHold | undefined
}

export function journal(context: ActorContext, options: JournalActorOptions): Actor {
  const { clock, slots, log } = context
  const settings = options.journal
  const hot = createHotFrames(slots, clock)
  const taps = createTaps(clock, (id, ndjson) => context.send('supervisor', { type: 'tapped', id, ndjson }))
  const report = createReport(context, {
    bytesMax: settings.bytes_max,
    atBound: settings.at_bound,
    trouble: (on) => opened?.commits.trouble(on),
  })
  let opened: Opened | undefined
  /** Messages may come while the folder is being recovered. */
  let early: (() => void)[] = []
  let ingestEpoch = 0
  let inputEnded = false
  let saidIdle = false
  let cancelSweep: (() => void) | undefined
  let endWatch: (() => void) | undefined

  function whenOpen(run: () => void): void {
    if (opened === undefined) early.push(run)
    else run()
  }

  function append(message: MessageOf<'append'>): void {
    // An ingest chain that is gone: its slots are free again, and its lines are read again from the committed position.
    if (message.epoch < ingestEpoch)
      return log.warn({ epoch: message.epoch }, 'journal: frame of an ended ingest ignored')
    const { slot, rawBytes, encodedBytes, epoch } = message
    slots.adopt(slot)
    const { header } = readFrameHeader(slots.encoded(slot).subarray(0, encodedBytes))
    const generation = slots.generation(slot)
    opened?.commits.add({ slot, generation, rawBytes, encodedBytes, epoch, header })
  }

  const headers = frameHeaders(context)
  function committed(frames: readonly PendingFrame[], firstSeq: number): void {
    if (opened === undefined) return
    for (const [n, { slot, generation, rawBytes, encodedBytes, header }] of frames.entries()) {
      const seq = firstSeq + n
      if (header.count === 0) opened.feeds.skip(seq)
      headers.put(seq, header)
      opened.hold?.committed(seq, header)
      if (taps.wanted()) taps.offer(slots.raw(slot).subarray(0, header.ndjsonBytes))
      hot.add({ seq, slot, generation, rawBytes, encodedBytes, records: header.count })
    }
    const own = frames.filter(({ epoch }) => epoch === frames.at(-1)?.epoch).length
    context.send('sample', { type: 'committed', frames: own, epoch: frames.at(-1)?.epoch ?? 0 })
    opened.feeds.pump()
    settle()
  }

  /** After anything has moved: frees memory, saves cursors, notices the end. */
  function settle(): void {
    if (opened === undefined) return
    const { feeds, commits, keeper, wal } = opened
    if (hot.sweep((seq) => feeds.waitMs(seq))) {
      cancelSweep?.()
      cancelSweep = clock.after(SWEEP_MS, settle)
    }
    if (feeds.takeMoved()) keeper.touch()
    if (!inputEnded || saidIdle || !commits.idle()) return
    feeds.end()
    if (feeds.passed() < wal.tailSeq()) return
    saidIdle = true
    context.send('supervisor', { type: 'idle', actor: context.name, idle: true })
  }

  async function start(): Promise<void> {
    const { wal, lock } = await openFolder(context, settings, report.observer)
    const feeds = createFeeds({
      context,
      wal,
      hot,
      writers: options.writers,
      report,
      audited: options.audit !== undefined,
      moved: () => queueMicrotask(settle),
      save: () => keeper.hurry(),
    })
    const hold = openHold(wal, feeds)
    const failed = (error: unknown) =>
      log.error({ err: error }, 'journal: saving the cursors failed; a crash now costs repetition')
    const keeper = createCursorKeeper({
      wal,
      clock,
      done: hold === undefined ? feeds.done : new Map([...feeds.done, [AUDIT_CURSOR, hold.confirmed]]),
      reservations:
        hold === undefined
          ? feeds.reservations
          : new Map([...feeds.reservations, [AUDIT_CURSOR, reservationOf(hold)] as const]),
      passed: () => hold?.passed(feeds.passed()) ?? feeds.passed(),
      trimmed() {
        hold?.trimmed()
        commits.roomChanged()
      },
      failed,
    })
    const room = {
      wal,
      atBound: settings.at_bound,
      feeds: feeds.all,
      done: feeds.done,
      mendable: new Set(options.audit?.mends === true ? options.audit.backends : []),
      handOver: async (from: number, to: number) => (await hold?.handOver(from, to)) ?? false,
      givenUp: (backend: string, frames: number, records: number) =>
        report.givenUp(backend, 'disk_bound', frames, records),
      trimmed: () => hold?.trimmed(),
    }
    const commits = createCommits({
      wal,
      slots,
      clock,
      commitWaitMs: settings.commit_wait,
      bytesMax: settings.bytes_max,
      committed,
      makeRoom: () => makeRoom(room),
      blocked: (on) => report.blocked(on),
      failed: (error) => context.fail(error),
    })
    await feeds.dropStrangers()
    for (const reservation of feeds.reservations.values()) reservation.prepare()
    keeper.hurry()
    await keeper.settled()
    opened = { wal, lock, commits, keeper, feeds, hold }
    endWatch = watchFinishedFiles({ wal, clock })
    report.start(wal, feeds.all)
    log.info({ segments: wal.segments(), bytes: wal.bytes(), tailSeq: wal.tailSeq() }, 'journal: open')
    const waiting = early
    early = []
    for (const run of waiting) run()
  }

  function openHold(wal: Wal, feeds: Feeds): AuditHold | undefined {
    if (options.audit === undefined) return undefined
    const { backends, holdBytesMax } = options.audit
    const done = backends.flatMap((name) => feeds.done.get(name) ?? [])
    return createAuditHold({ context, wal, done, holdBytesMax, touch: () => opened?.keeper.touch() })
  }

  async function stop(): Promise<void> {
    report.stop()
    cancelSweep?.()
    endWatch?.()
    if (opened === undefined) return
    const { wal, lock, commits, keeper, feeds, hold } = opened
    hold?.ending()
    await commits.stop()
    await hold?.close()
    await feeds.close()
    await keeper.stop()
    await wal.close()
    lock.release()
  }

  function onFeed<T extends 'done' | 'outage' | 'recovered' | 'taken' | 'subscribe'>(
    run: (feeds: Feeds, message: MessageOf<T>, from: string) => void,
  ): (message: MessageOf<T>, from: string) => void {
    return (message, from) =>
      whenOpen(() => {
        if (opened !== undefined) run(opened.feeds, message, from)
        settle()
      })
  }

  return {
    start,
    stop,
    on: {
      append: (message) => whenOpen(() => append(message)),
      ingest_started: ({ epoch }) =>
        whenOpen(() => {
          ingestEpoch = epoch
          slots.reclaim(epoch)
        }),
      positions_wanted: ({ source, replyTo }) =>
        whenOpen(() =>
          opened?.commits.afterPresent(() => {
            context.send(replyTo, {
              type: 'positions',
              source,
              positions: opened?.wal.positions(source) ?? [],
            })
          }),
        ),
      subscribe: onFeed<'subscribe'>((feeds, message, from) => feeds.subscribe(message, from)),
      taken: onFeed<'taken'>((feeds, message) => feeds.taken(message)),
      done: onFeed<'done'>((feeds, message) => feeds.acknowledged(message)),
      outage: onFeed<'outage'>((feeds, { writer }) => feeds.outage(writer)),
      recovered: onFeed<'recovered'>((feeds, { writer }) => feeds.recovered(writer)),
      audit_open: (message, from) => whenOpen(() => opened?.hold?.opened(message, from)),
      audit_queued: (message) => whenOpen(() => opened?.hold?.queued(message)),
      audited: ({ seqs }) => whenOpen(() => opened?.hold?.audited(seqs)),
      frame_wanted: (message) => whenOpen(() => opened?.hold?.wanted(message)),
      tap({ id, filter, limitPerSecond }) {
        const refused = taps.open(id, filter, limitPerSecond)
        if (refused !== undefined) log.warn({ id, filter }, `tap refused: ${refused}`)
      },
      untap: ({ id }) => taps.close(id),
      drain: () =>
        whenOpen(() =>
          opened?.commits.afterPresent(() => {
            opened?.keeper.touch()
            context.send('supervisor', { type: 'idle', actor: context.name, idle: true })
          }),
        ),
      end_of_input: () =>
        whenOpen(() => {
          inputEnded = true
          opened?.commits.flush()
          settle()
        }),
    },
  }
}

/** The audit's cursor is saved with the others; nobody waits for it. */
function reservationOf(hold: AuditHold): Pick<Reservation, 'ranges' | 'saved' | 'saveFailed'> {
  return { ranges: hold.queuedRanges, saved: () => undefined, saveFailed: () => undefined }
}
