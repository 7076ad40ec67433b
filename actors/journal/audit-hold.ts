// Hands frames that every audited backend has acknowledged to the auditor, and holds their segments until it has checked them.
import { AUDIT_CURSOR, type AuditFrame } from '../../protocol/audit.js'
import type { FrameHeader } from '../../protocol/frame.js'
import type { MessageOf } from '../../protocol/messages.js'
import type { ActorContext } from '../../runtime/actor.js'
import { createSeqSet, type SeqRange, type SeqSet } from '../../runtime/wal/seq-set.js'
import type { Wal } from '../../runtime/wal/wal.js'

/*
 *   confirmed                     checked: the journal may let go                      saved as the cursor's `done`
 *   queued     (⊇ confirmed)      durable in the auditor's queue                       saved as the cursor's `sent`
 *   handled    (⊇ queued)         given to the auditor of this life                    in memory
 *
 * When the auditor starts it says what lies in its queue. What was handled and is not there is handed out again: not yet durable when
 * either side ended, or checked without that being saved. A second check does no harm.
 */
export interface AuditHold {
  readonly confirmed: SeqSet
  /** For the cursor's save. */
  queuedRanges(): SeqRange[]
  /** A frame was committed; its figures are kept until it is handed out. */
  committed(seq: number, header: FrameHeader): void
  opened(message: MessageOf<'audit_open'>, from: string): void
  queued(message: MessageOf<'audit_queued'>): void
  audited(seqs: readonly number[]): void
  wanted(message: MessageOf<'frame_wanted'>): void
  /**
   * Hands these to the auditor although a backend lacks them. True once all are durable in its queue; false when that takes too long: it has
   * no room, or is not there.
   */
  handOver(from: number, to: number): Promise<boolean>
  /** The journal is about to stop: nobody waits for the auditor any more. */
  ending(): void
  /** Below this all may be deleted, given what the writers have passed. Lets the oldest segment go when held bytes are over the bound. */
  passed(writersPassed: number): number
  /** Segments were deleted. */
  trimmed(): void
  heldFrames(): number
  close(): Promise<void>
}

export interface AuditHoldOptions {
  readonly context: ActorContext
  readonly wal: Wal
  /** What the audited backends have. */
  readonly done: readonly SeqSet[]
  readonly holdBytesMax: number
  /** The cursor has moved. */
  touch(): void
}

const OFFER_EVERY_MS = 500
const FRAMES_PER_MESSAGE = 512
/** Seqs that are looked at in one turn. */
const STEPS_MAX = 20_000
/** Figures of frames kept in memory; others are read back from disk. */
const INFOS_MAX = 8192
/** An auditor that takes frames at all has them on disk in milliseconds. */
const HAND_OVER_MS = 2000
/** More ranges are not saved: the frames behind them are handed out again after a crash. */
const RANGES_MAX = 1000

export function createAuditHold(options: AuditHoldOptions): AuditHold {
  const { context, wal, done } = options
  const saved = wal.cursors.find(({ backend }) => backend === AUDIT_CURSOR)
  const confirmed = createSeqSet(saved?.done)
  confirmed.add(0, wal.oldestSeq())
  let queued = createSeqSet([...(saved?.sent ?? []), ...confirmed.ranges()])
  let handled = createSeqSet(queued.ranges())
  const infos = new Map<number, AuditFrame>()
  const reader = wal.reader()
  let auditor: string | undefined
  let room = 0
  let offering: Promise<void> | undefined
  let reading: Promise<void> = Promise.resolve()
  let closed = false
  /** Frames below are handed out whatever the backends have. */
  let earlyBelow = 0
  let ending = false
  let lookAgain: (() => void) | undefined
  const cancel = context.clock.every(OFFER_EVERY_MS, () => void offer())

  function confirm(from: number, to: number): void {
    confirmed.add(from, to)
    queued.add(from, to)
    handled.add(from, to)
  }

  /** Acknowledged by all and not handed out, oldest first. */
  function due(): number[] {
    const seqs: number[] = []
    const most = Math.min(room, FRAMES_PER_MESSAGE)
    const tail = wal.tailSeq()
    let seq = handled.nextMissing(wal.oldestSeq())
    for (let steps = 0; seq < tail && seqs.length < most && steps < STEPS_MAX; steps++) {
      if (seq < earlyBelow || done.every((set) => set.has(seq))) seqs.push(seq)
      seq = handled.nextMissing(seq + 1)
    }
    return seqs
  }

  /** One read at a time: the reader is shared. */
  function read(seq: number): ReturnType<typeof reader.read> {
    const result = reading.then(() => reader.read(seq))
    reading = result.then(
      () => undefined,
      () => undefined,
    )
    return result
  }

  /** Closes the file: it may be a deleted segment that still takes up the disk. */
  function rest(): Promise<void> {
    reading = reading.then(() => reader.close())
    return reading
  }

  async function infoOf(seq: number): Promise<AuditFrame | undefined> {
    const known = infos.get(seq)
    infos.delete(seq)
    if (known !== undefined) return known
    const found = await read(seq)
    return found.kind === 'frame' && found.header.count > 0 ? figuresOf(seq, found.header) : undefined
  }

  async function handOut(to: string): Promise<void> {
    const seqs = due()
    const frames: AuditFrame[] = []
    if (seqs.length === 0) return rest()
    for (const seq of seqs) {
      handled.add(seq)
      const info = await infoOf(seq)
      if (closed) return
      if (info !== undefined) frames.push(info)
      // Empty, or not readable any more: the journal has told that where it was found.
      else confirm(seq, seq + 1)
    }
    if (frames.length === 0 || auditor !== to) return
    room -= frames.length
    context.send(to, { type: 'audit_frames', frames })
  }

  async function offer(): Promise<void> {
    if (auditor === undefined || offering !== undefined || closed) return
    offering = handOut(auditor)
      .catch((error: unknown) =>
        context.log.error({ err: error }, 'journal: handing frames to the audit failed'),
      )
      .finally(() => (offering = undefined))
    await offering
  }

  async function handOver(from: number, to: number): Promise<boolean> {
    earlyBelow = Math.max(earlyBelow, to)
    let late = false
    const stopWaiting = context.clock.after(HAND_OVER_MS, () => {
      late = true
      lookAgain?.()
    })
    while (queued.missing(from, to) > 0 && !late && !ending) {
      const change = new Promise<void>((resolve) => (lookAgain = resolve))
      void offer()
      await change
    }
    stopWaiting()
    lookAgain = undefined
    return queued.missing(from, to) === 0
  }

  return {
    confirmed,
    handOver,
    ending() {
      ending = true
      lookAgain?.()
    },
    queuedRanges: () => queued.ranges().slice(0, RANGES_MAX),
    committed(seq, header) {
      if (header.count === 0) return confirm(seq, seq + 1)
      if (infos.size < INFOS_MAX) infos.set(seq, figuresOf(seq, header))
    },
    opened({ room: newRoom, waiting }, from) {
      auditor = from
      room = newRoom
      queued = createSeqSet([...confirmed.ranges(), ...waiting.map((seq) => [seq, seq + 1] as const)])
      handled = createSeqSet(queued.ranges())
      void offer()
    },
    queued({ seqs, room: newRoom }) {
      for (const seq of seqs) queued.add(seq)
      room = newRoom
      options.touch()
      lookAgain?.()
    },
    audited(seqs) {
      for (const seq of seqs) if (seq < wal.tailSeq()) confirm(seq, seq + 1)
      options.touch()
      lookAgain?.()
    },
    wanted({ seq, replyTo }) {
      const gone = seq < wal.oldestSeq() || seq >= wal.tailSeq()
      const reply = (encoded?: Uint8Array) =>
        context.send(replyTo, { type: 'frame_copy', seq, ...(encoded === undefined ? {} : { encoded }) })
      if (gone) return reply()
      read(seq).then(
        (found) => reply(found.kind === 'frame' ? found.encoded : undefined),
        (error: unknown) => {
          context.log.error({ seq, err: error }, 'journal: reading a frame for the audit failed')
          reply()
        },
      )
    },
    passed(writersPassed) {
      const held = Math.min(confirmed.nextMissing(wal.oldestSeq()), wal.tailSeq())
      if (held >= writersPassed) return writersPassed
      const oldest = wal.oldestClosed()
      if (oldest === undefined || oldest[1] > writersPassed) return held
      return wal.bytesBelow(writersPassed) > options.holdBytesMax ? oldest[1] : held
    },
    trimmed() {
      const released = confirmed.missing(0, wal.oldestSeq())
      if (released === 0) return
      const unqueued = queued.missing(0, wal.oldestSeq())
      context.metrics.add('audit_released_frames_total', released - unqueued, { state: 'queued' })
      context.metrics.add('audit_released_frames_total', unqueued, { state: 'never_queued' })
      confirm(0, wal.oldestSeq())
      for (const seq of infos.keys()) if (seq < wal.oldestSeq()) infos.delete(seq)
      context.log.warn(
        { frames: released, unqueued },
        'journal: segments went before the audit had checked all of their frames',
      )
    },
    heldFrames: () => confirmed.missing(wal.oldestSeq(), wal.tailSeq()),
    async close() {
      closed = true
      cancel()
      await offering
      await reading
      await reader.close()
    },
  }
}

function figuresOf(seq: number, { id, count, minTsMs, maxTsMs }: FrameHeader): AuditFrame {
  return { seq, id, count, fromMs: minTsMs, toMs: maxTsMs }
}
