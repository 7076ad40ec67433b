// The journal: commits the ingest chain's frames to disk, answers how far each source is committed, and feeds every writer at its pace.
import type { JournalOptions } from '../protocol/config/node.js'
import type { MessageOf } from '../protocol/messages.js'
import type { Actor, ActorContext } from '../runtime/actor.js'
import { readFrameHeader } from '../runtime/frame-header.js'
import { frameHeaders } from './frame-headers.js'
import { type Commits, createCommits, type PendingFrame } from './journal/commits.js'
import { createCursorKeeper, type CursorKeeper } from './journal/cursors.js'
import { createFeeds, type Feeds } from './journal/feeds.js'
import { openFolder } from './journal/folder.js'
import { createHotFrames, SWEEP_MS } from './journal/hot-frames.js'
import { createReport } from './journal/report.js'
import { makeRoom } from './journal/room.js'
import { createTaps } from './journal/taps.js'
import type { FolderLock } from '../runtime/wal/lock.js'
import type { Wal } from '../runtime/wal/wal.js'

export interface JournalActorOptions {
  readonly journal: JournalOptions
  /** Names of the configured backends. */
  readonly writers: readonly string[]
}

interface Opened {
  readonly wal: Wal
  readonly lock: FolderLock
  readonly commits: Commits
  readonly keeper: CursorKeeper
  readonly feeds: Feeds
}

export function journal(context: ActorContext, options: JournalActorOptions): Actor {
  const { clock, slots, log } = context
  const settings = options.journal
  const hot = createHotFrames(slots, clock)
  const taps = createTaps(clock, (id, ndjson) => context.send('supervisor', { type: 'tapped', id, ndjson }))
  const report = createReport(context, {
    bytesMax: settings.bytes_max,
    trouble: (on) => opened?.commits.trouble(on),
  })
  let opened: Opened | undefined
  /** Messages may come while the folder is being recovered. */
  let early: (() => void)[] = []
  let ingestEpoch = 0
  let inputEnded = false
  let saidIdle = false
  let cancelSweep: (() => void) | undefined

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
    opened?.commits.add({ slot, rawBytes, encodedBytes, epoch, header })
  }

  const headers = frameHeaders(context)
  function committed(frames: readonly PendingFrame[], firstSeq: number): void {
    if (opened === undefined) return
    for (const [n, { slot, rawBytes, encodedBytes, header }] of frames.entries()) {
      const seq = firstSeq + n
      if (header.count === 0) opened.feeds.skip(seq)
      headers.put(seq, header)
      if (taps.wanted()) taps.offer(slots.raw(slot).subarray(0, header.ndjsonBytes))
      hot.add({ seq, slot, rawBytes, encodedBytes, records: header.count })
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
    if (!inputEnded || saidIdle || !commits.idle() || feeds.passed() < wal.tailSeq()) return
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
      moved: () => queueMicrotask(settle),
      save: () => keeper.hurry(),
    })
    const failed = (error: unknown) =>
      log.error({ err: error }, 'journal: saving the cursors failed; a crash now costs repetition')
    const keeper = createCursorKeeper({
      wal,
      clock,
      done: feeds.done,
      reservations: feeds.reservations,
      passed: () => feeds.passed(),
      trimmed: () => commits.roomChanged(),
      failed,
    })
    const room = {
      wal,
      atBound: settings.at_bound,
      feeds: feeds.all,
      done: feeds.done,
      givenUp: (backend: string, frames: number, records: number) =>
        report.givenUp(backend, 'disk_bound', frames, records),
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
    opened = { wal, lock, commits, keeper, feeds }
    report.start(wal, feeds.all)
    log.info({ segments: wal.segments(), bytes: wal.bytes(), tailSeq: wal.tailSeq() }, 'journal: open')
    const waiting = early
    early = []
    for (const run of waiting) run()
  }

  async function stop(): Promise<void> {
    report.stop()
    cancelSweep?.()
    if (opened === undefined) return
    const { wal, lock, commits, keeper, feeds } = opened
    await commits.stop()
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
