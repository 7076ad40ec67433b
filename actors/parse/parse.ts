// parse: scans slabs in the kernel, joins what belongs together, and hands scanned records on in batches.
import { FLAG, WORD } from '../../kernel/table.js'
import type { RecordsOptions } from '../../protocol/config/node.js'
import type { MessageOf, Origin, SlabMessage } from '../../protocol/messages.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { ingestMemory } from '../ingest-memory.js'
import { NO_CARRY, openCarry } from './carry.js'
import { CUT_LOOK_BYTES } from './cut.js'
import { createEntryWork } from './entries.js'
import { createBatchOut } from './batch-out.js'
import { type OriginState, originState } from './origin-state.js'
import { createPanicWatch } from './panics.js'

export interface ParseOptions {
  readonly records: RecordsOptions
  /** Number of sources whose end_of_input ends the node's input. */
  readonly sources: number
  /** Largest canonical record that every backend takes, bytes. */
  readonly canonicalBytesMax: number
  /** Last words of processes that are no older than this are told to `capture`; left out: nobody listens. */
  readonly panicAgeMaxMs?: number
}

/** Anything that makes an entry more than a plain record. */
const SPECIAL = FLAG.PARTIAL | FLAG.SLOW | FLAG.CRI_MALFORMED
const SEEN = { SPECIAL: 1, TEXT_ON_STDERR: 2 } as const
const GROUP_CHECK_MS = 200
/** A check that comes so late tells of a process that stood still. */
const STALL_MS = 5000
/** How long the rest of a partial is expected in a log's next file, unless that one is known to wait for its turn. */
const LINGER_MS = 30_000

export function parse(context: ActorContext, options: ParseOptions): Actor {
  const { scanner, scratch } = ingestMemory(context, options.records)
  const origins = new Map<number, OriginState>()
  /** Origins that ended within a partial whose rest is expected in the next file of the log, by join key. */
  const lingering = new Map<string, OriginState>()
  const out = createBatchOut(context, scanner, scratch)
  const entries = createEntryWork(context, scanner, out, options)
  const panics =
    options.panicAgeMaxMs === undefined
      ? undefined
      : createPanicWatch(context, scanner, options.panicAgeMaxMs)
  let inputsLeft = options.sources
  let checkedAtMs = 0
  /** The sources may send. */
  let flowing = true
  let cancelGroups: (() => void) | undefined

  /** From the first group or partial on that may have to be ended by time: most nodes never wake up for this. */
  function watchGroups(): void {
    if (cancelGroups !== undefined) return
    checkedAtMs = context.clock.monotonic()
    cancelGroups = context.clock.every(GROUP_CHECK_MS, endQuietGroups)
  }

  function onSlab(slab: SlabMessage): void {
    const state = origins.get(slab.origin)
    if (state === undefined) throw new Error(`slab of unknown origin ${slab.origin}`)
    if (state.takesFrom !== undefined) takeOver(state, state.takesFrom, slab.offset)
    const begin = locate(slab.bytes)
    const end = begin + slab.bytes.length
    let records = 0
    for (let at = begin; at < end; ) {
      if (scanner.needsReset()) context.send('enrich', { type: 'reset_streams' })
      const count = scanner.scanLines(at, end, state.format, state.trust)
      const seen = survey(count)
      if ((seen & SEEN.TEXT_ON_STDERR) !== 0) panics?.look(state, count)
      out.open(state, { base: begin, offset: slab.offset })
      const needsWork =
        state.carries.length > 0 || state.special || slab.cut === true || (seen & SEEN.SPECIAL) !== 0
      if (needsWork) records -= entries.work(state, count, slab)
      else out.flush(0, count)
      records += count
      at = scanner.resume()
    }
    if (slab.last === true) entries.endOpen(state, slab.endOffset)
    state.offset = slab.endOffset
    out.position(state, slab)
    context.metrics.add('records_read_total', records, { source: state.origin.source })
  }

  /** What there is among the entries, in one pass over them. */
  function survey(count: number): number {
    let flags = 0
    let textOnStderr = 0
    let longest = 0
    for (let record = 0; record < count; record++) {
      const own = scanner.flags(record)
      flags |= own
      textOnStderr |= Number((own & (FLAG.STDERR | FLAG.JSON)) === FLAG.STDERR)
      longest = Math.max(longest, scanner.word(record, WORD.END) - scanner.word(record, WORD.START))
    }
    const special = (flags & SPECIAL) !== 0 || longest > CUT_LOOK_BYTES
    return (special ? SEEN.SPECIAL : 0) | (textOnStderr === 1 ? SEEN.TEXT_ON_STDERR : 0)
  }

  /** Kernel address of a slab: where it lies already when its source reads into kernel memory, else where it is copied to. */
  function locate(bytes: Uint8Array): number {
    if (bytes.buffer === scanner.kernel.memory.buffer) return bytes.byteOffset
    if (bytes.length > scanner.input.length)
      throw new Error(`slab of ${bytes.length} bytes exceeds ${scanner.input.length}`)
    scanner.input.set(bytes)
    return scanner.inputPtr
  }

  function onOrigin(message: MessageOf<'origin'>): void {
    const { origin } = message
    const known = origins.get(origin.id)
    if (known === undefined) {
      const before = precedingOf(message)
      const state = originState(origin, message.carry?.map(openCarry) ?? before?.carries)
      state.grewAtMs = context.clock.monotonic()
      origins.set(origin.id, state)
      state.takesFrom = before
      if (origin.multiline !== undefined) watchGroups()
      context.send('enrich', message)
    } else {
      known.origin = origin
      context.send('enrich', message)
    }
  }

  /** The log's file before, where what is open in it goes on in this one. */
  function precedingOf({ origin, detached }: MessageOf<'origin'>): OriginState | undefined {
    const before = origin.joinKey === undefined ? undefined : lingering.get(origin.joinKey)
    // One that was finished and has grown again goes on itself.
    return before !== undefined && (detached !== true || isSameFile(before, origin)) ? before : undefined
  }

  /**
   * The next file's position holds the open pieces now, and the one before is closed. In this order, and before anything of the
   * slab is emitted: a crash in between finds the pieces in both, and the next file's own count.
   */
  function takeOver(state: OriginState, before: OriginState, offset: number): void {
    state.takesFrom = undefined
    out.position(state, { endOffset: offset })
    if (lingering.get(before.origin.joinKey ?? '') !== before) return
    // A file that was finished and has grown again: its one position goes on, and saying that it is done would be the last word.
    if (isSameFile(before, state.origin)) dismiss(before, false)
    else handOver(before)
  }

  /** An origin that lingered is closed without its open pieces. */
  function handOver(before: OriginState): void {
    before.carries = NO_CARRY
    out.position(before, { endOffset: before.offset })
    dismiss(before, true)
  }

  function dismiss(before: OriginState, done: boolean): void {
    lingering.delete(before.origin.joinKey ?? '')
    context.send('enrich', { type: 'origin_closed', origin: before.origin.id, done })
  }

  function onClosed(message: MessageOf<'origin_closed'>): void {
    const state = origins.get(message.origin)
    if (state === undefined) return
    origins.delete(message.origin)
    const key = state.origin.joinKey
    if (message.cutOff === true) endAll(state)
    if (message.done && state.carries.length > 0 && key !== undefined) {
      state.grewAtMs = context.clock.monotonic()
      lingering.set(key, state)
      watchGroups()
    } else context.send('enrich', message)
  }

  /** What is open becomes records, whether or not more was expected. */
  function endAll(state: OriginState): void {
    entries.endAll(state, state.offset)
    out.position(state, { endOffset: state.offset })
  }

  /** Time in which nothing could come does not count as a wait: the sources were stopped, or the whole process was. */
  function standStill(now: number): void {
    const sinceMs = now - checkedAtMs
    checkedAtMs = now
    if (flowing && sinceMs < STALL_MS) return
    for (const state of [...origins.values(), ...lingering.values()]) state.grewAtMs += sinceMs
  }

  function endQuietGroups(): void {
    const now = context.clock.monotonic()
    standStill(now)
    for (const state of origins.values()) {
      const waitMs = state.origin.multiline?.waitMs
      if (waitMs === undefined || state.carries.length === 0 || now - state.grewAtMs < waitMs) continue
      entries.endGroups(state, state.offset)
      out.position(state, { endOffset: state.offset })
    }
    for (const state of lingering.values()) {
      if (now - state.grewAtMs < LINGER_MS) continue
      endAll(state)
      handOver(state)
    }
  }

  return {
    stop: () => cancelGroups?.(),
    on: {
      origin: onOrigin,
      slab: onSlab,
      flow({ open }) {
        if (open !== flowing && cancelGroups !== undefined) standStill(context.clock.monotonic())
        flowing = open
      },
      origin_closed: onClosed,
      log_waits({ joinKey }) {
        const state = lingering.get(joinKey)
        if (state !== undefined) state.grewAtMs = context.clock.monotonic()
      },
      end_of_input(message) {
        if (--inputsLeft > 0) return
        for (const state of [...origins.values(), ...lingering.values()]) endAll(state)
        for (const state of lingering.values()) handOver(state)
        context.send('enrich', message)
      },
    },
  }
}

function isSameFile(a: OriginState, b: Origin): boolean {
  const { file } = a.origin
  return file !== undefined && file.key === b.file?.key
}
