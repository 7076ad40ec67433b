// The tail engine: searches folders, looks at open files, hands out turns; shared by the kubernetes and the file source.
import type { RecordsOptions } from '../../../protocol/config/node.js'
import type { KubernetesSourceOptions } from '../../../protocol/config/sources.js'
import { systemCode } from '../../../protocol/errors.js'
import type { FilePosition } from '../../../protocol/positions.js'
import type { ActorContext } from '../../../runtime/actor.js'
import { slabOf } from '../slab.js'
import type { Conditions } from './conditions.js'
import type { FoundLog, LogSource } from './found.js'
import { createLedger } from './ledger.js'
import { createOpenFiles } from './open-files.js'
import { createReading } from './reading.js'
import { createSearch } from './search.js'
import { isBarred, isIncomplete, type TailFile } from './tail-file.js'
import { createTurns } from './turns.js'
import { createWire } from './wire.js'

export type TailOptions = Pick<
  KubernetesSourceOptions,
  'read_from' | 'line_wait_max' | 'poll' | 'rescan' | 'files_max'
>

export interface TailEngineOptions {
  readonly context: ActorContext
  readonly source: string
  readonly tail: TailOptions
  readonly records: RecordsOptions
  readonly logs: LogSource & { logOf(path: string): FoundLog | undefined }
  readonly positions: readonly FilePosition[]
  readonly conditions: Conditions
  /** `once`: everything was read to its end. */
  onFinished(): void
}

/** Searches one after the other while a file goes away between its listing and its opening. */
const SEARCH_TRIES = 2

export interface TailState {
  readonly filesOpen: number
  readonly filesWaiting: number
  readonly faults: number
}

export interface TailEngine {
  start(): Promise<void>
  setFlow(open: boolean): void
  /** Sends the origins again of the logs whose description has changed. */
  describeAgain(isConcerned: (log: FoundLog) => boolean): void
  state(): TailState
  stop(): void
}

export function createTailEngine(options: TailEngineOptions): TailEngine {
  const { context, source, tail, records, logs, positions, conditions } = options
  const { clock, once, metrics } = context
  const nowMs = (): number => clock.monotonic()
  const slab = slabOf(context, records)
  const open = createOpenFiles()
  const ledger = createLedger(positions, (position) => conditions.report(String(position.path), 'position'))
  const wire = createWire({ context, source, slab, logs })
  const turns = createTurns({
    clock,
    turn: (file) => !stopped && reading.turn(file),
    onEmpty: () => void (once && look()),
    onError: context.fail,
  })
  const shared = { open, ledger, conditions, wire, logs, slab, once, nowMs, onTruncated }
  const reading = createReading({
    ...shared,
    lineBytesMax: records.line_bytes_max,
    pollMs: tail.poll,
    lineWaitMaxMs: tail.line_wait_max,
    retryMs: tail.rescan,
    enqueue: turns.enqueue,
  })
  const search = createSearch({
    ...shared,
    lineBytesMax: records.line_bytes_max,
    filesMax: tail.files_max,
    fromEnd: tail.read_from === 'end' && positions.length === 0,
    logOf: logs.logOf,
    park,
  })
  const cancels: (() => void)[] = []
  let stopped = false
  let flowOpen = true
  let searching = false
  let searched = false
  let waiting = 0
  let finished = false
  let cancelPoll = (): void => undefined

  function onTruncated(): void {
    metrics.add('files_truncated_total', 1, { source })
  }

  async function searchNow(): Promise<void> {
    if (searching || stopped) return
    searching = true
    try {
      for (let tries = 0; tries < SEARCH_TRIES; tries++) {
        const found = await logs.find()
        if (stopped) return
        waiting = search.apply(found)
        if (![...open.chains()].some(isIncomplete)) break
      }
      searched = true
      metrics.set('files_open', open.count(), { source })
      look()
    } catch (error) {
      if (systemCode(error) === undefined) context.fail(error)
      else conditions.report('search', systemCode(error) as string, error)
    } finally {
      searching = false
    }
  }

  /** Looks at the first file of every log that is due, and comes again when the next one is: where all are quiet, not every `poll`. */
  function look(): void {
    if (stopped) return
    const dueMs = flowOpen ? lookAtDue() : 0
    const quietMs = once ? 0 : Math.min(Math.ceil(dueMs - nowMs()), tail.rescan)
    cancelPoll()
    cancelPoll = clock.after(Math.max(tail.poll, quietMs), () => guarded(look))
    if (flowOpen && turns.length() === 0) finishOnce()
  }

  /** Returns when the first of the others is due; 0 where that hangs on something else. */
  function lookAtDue(): number {
    const now = nowMs()
    let dueMs = Number.POSITIVE_INFINITY
    for (const chain of open.chains()) {
      for (let file = chain.files[0]; file !== undefined; file = nextHead(file, chain.files[0])) {
        const isDue = !file.queued && file.nextLookMs <= now && !isBarred(chain, now, file.order)
        if (isDue) reading.look(file)
        if (isDue && chain.files[0] !== file) continue
        dueMs = Math.min(dueMs, file.queued ? 0 : file.nextLookMs)
        if (!isDue) break
      }
    }
    return dueMs
  }

  /** Frees up to `wanted` descriptors of quiet files. */
  function park(wanted: number): void {
    let left = wanted
    for (const chain of open.chains()) {
      const file = chain.files[0]
      if (left === 0) return
      if (file !== undefined && reading.park(file)) left--
    }
  }

  function finishOnce(): void {
    if (!once || !searched || finished || stopped) return
    if (waiting > 0) {
      if (open.count() < tail.files_max) void searchNow()
      return
    }
    for (const _ of open.chains()) return
    finished = true
    options.onFinished()
  }

  return {
    async start() {
      await searchNow()
      if (stopped) return
      look()
      if (!once) cancels.push(clock.every(tail.rescan, () => void searchNow()))
    },
    setFlow(isOpen) {
      flowOpen = isOpen
      turns.setOpen(isOpen)
    },
    describeAgain(isConcerned) {
      for (const chain of open.chains()) {
        if (isConcerned(chain.log)) for (const file of chain.files) wire.update(file)
      }
    },
    state: () => ({ filesOpen: open.count(), filesWaiting: waiting, faults: conditions.count() }),
    stop() {
      stopped = true
      for (const cancel of cancels) cancel()
      cancelPoll()
      turns.stop()
      open.clear()
    },
  }

  function guarded(run: () => void): void {
    try {
      run()
    } catch (error) {
      context.fail(error)
    }
  }
}

/** When a look has ended a file, the log's next one is looked at without waiting. */
function nextHead(looked: TailFile, head: TailFile | undefined): TailFile | undefined {
  return head === looked ? undefined : head
}
