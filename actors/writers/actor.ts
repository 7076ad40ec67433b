// The actor `writer.<name>`: takes frames from the journal, feeds one backend, says when a frame is done, and tells how the backend is.
import path from 'node:path'
import { saidOf } from '../../protocol/errors.js'
import { createFrameCodec } from '../../runtime/frame-codec.js'
import type { BackendOptions } from '../../protocol/config/backends.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { sleep } from '../../runtime/clock.js'
import { createDeadLetters, lettersFolder } from '../../runtime/dead-letters.js'
import { backoffMs } from '../../runtime/retry.js'
import { frameHeaders } from '../frame-headers.js'
import { createBackend } from './backends.js'
import { createBurial } from './burial.js'
import { createDelivery } from './delivery.js'
import { createHealth } from './health.js'
import { createIntake } from './intake.js'
import { createLedger } from './ledger.js'
import { threadMemory } from './thread-memory.js'
import { type Backend, type Batch, EVERYTHING, type Fault, type Part } from './writer.js'

export interface WriterPlan {
  /** Name of the backend in the configuration. */
  readonly name: string
  readonly options: BackendOptions
  /** Options of all writers of its thread: they share memory. Default: it is alone. */
  readonly beside?: readonly BackendOptions[]
  /** How long a record may have waited in its frame, ms: batch_age_max counts from then on where nothing else is on its way. Default 0. */
  readonly frameAgeMs?: number
  /** The actor that feeds it. Default: the journal. */
  readonly from?: string
  /** How long `stop` waits for what is in flight. */
  readonly stopWaitMs?: number
}

/** What is in flight when the node stops may take so long to end; the supervisor's own bound is longer. */
const STOP_WAIT_MS = 3000

const HELD: Fault = {
  kind: 'blocked',
  reason: 'held open by an operator; let it go with millrace ctl breaker NAME reset',
}

/** Writes to `from`: subscribe, taken, done, outage, recovered; to `supervisor`: status. */
export function writerActor(
  context: ActorContext,
  {
    name,
    options,
    beside = [options],
    frameAgeMs = 0,
    from = 'journal',
    stopWaitMs = STOP_WAIT_MS,
  }: WriterPlan,
): Actor {
  const { clock, log, metrics } = context
  const { kernel, hold } = threadMemory(context, beside)
  const codec = createFrameCodec(kernel)
  const ending = new AbortController()
  const idleAgeMs = Math.max(0, options.batch_age_max - frameAgeMs)
  let draining = false
  let heldOpen = false
  let cancelFlush: (() => void) | undefined
  let flushAtMs = EVERYTHING
  const timers: (() => void)[] = []

  const ledger = createLedger((seqs) => context.send(from, { type: 'done', writer: name, seqs }))
  const settled = (parts: readonly Part[]): void => {
    for (const { seq, records } of parts) ledger.settle(seq, records)
  }
  const letters = createDeadLetters({ folder: path.join(lettersFolder(context.node.dataDir), name) })
  const shared = { backend: name, clock, log, metrics, random: () => context.random(), settled }
  const burial = createBurial({ ...shared, letters })
  const health = createHealth(context, name, from)
  const delivery = createDelivery<Batch>({
    ...shared,
    options,
    burial,
    attempt: (batch, turn) => backend.attempt(batch, turn),
    moved: work,
    breakerChanged: (state) => health.breakerChanged(state, heldOpen ? HELD : delivery.fault(), ledger),
  })
  const backend: Backend<Batch> = createBackend(options, {
    name,
    nodeId: context.node.id,
    kernel,
    clock,
    log,
    metrics,
    offer: (batch) => delivery.offer(batch),
    refuse: (refused) => void burial.bury(refused, 0),
  })
  const intake = createIntake({
    codec,
    slots: context.slots,
    hold,
    headers: frameHeaders(context),
    encode: (frame) => backend.encode(frame),
    begin: (seq, header, bytes) => ledger.begin(seq, header.count, bytes),
    corrupt,
  })

  /** The journal has verified it once: this is memory or disk gone bad in between. It cannot be sent, so it must not block. */
  function corrupt(seq: number, error: unknown): void {
    const kind = error instanceof Error && 'code' in error ? String(error.code) : 'frame'
    metrics.add('journal_corrupt_total', 1, { kind })
    log.error({ backend: name, seq, err: error }, 'a frame does not verify and is given up')
    ledger.begin(seq, 0, 0)
  }

  /** Encodes what waits, offers what is due, and looks again when the next batch is due. */
  function work(): void {
    if (ending.signal.aborted) return
    intake.pump()
    // The oldest frame keeps the journal's credit; when half of it is used, what is open of that frame goes out as it is.
    const oldest = ledger.bytes() >= options.memory_bytes / 2 ? ledger.oldest() : undefined
    if (oldest !== undefined) backend.relieve(oldest)
    const ageMs = delivery.pending() === 0 ? idleAgeMs : options.batch_age_max
    const begunMs = backend.flush(draining ? EVERYTHING : clock.monotonic() - ageMs)
    // Open although it was due: its memory is taken, and `moved` comes when that changes.
    const dueMs = begunMs === undefined ? EVERYTHING : begunMs + ageMs
    if (dueMs === flushAtMs && cancelFlush !== undefined) return
    cancelFlush?.()
    flushAtMs = dueMs
    cancelFlush = undefined
    if (dueMs === EVERYTHING) return
    const delayMs = Math.max(10, Math.ceil(dueMs - clock.monotonic()))
    cancelFlush = clock.after(delayMs, () => {
      cancelFlush = undefined
      work()
    })
  }

  /** Tries until the backend is there; the node goes on meanwhile, and the journal keeps what is for it. */
  async function open(): Promise<void> {
    for (let failures = 1; !ending.signal.aborted; failures++) {
      try {
        await backend.open(AbortSignal.any([ending.signal, AbortSignal.timeout(options.timeout)]))
        if (ending.signal.aborted) return
        health.openFailed(undefined)
        subscribe()
        return
      } catch (error) {
        if (ending.signal.aborted) return
        const reason = saidOf(error)
        health.openFailed(reason)
        metrics.add('write_failed_total', 1, { backend: name })
        await sleep(
          clock,
          backoffMs(options.retry, failures, () => context.random()),
          ending.signal,
        )
      }
    }
  }

  function subscribe(): void {
    const { memory_bytes: creditBytes, backfill_bytes_per_second: backfillBytesPerSecond } = options
    const session = context.epoch
    context.send(from, { type: 'subscribe', writer: name, session, creditBytes, backfillBytesPerSecond })
  }

  function tick(): void {
    health.report({
      breaker: delivery.breaker(),
      fault: delivery.fault(),
      buried: burial.blocked(),
      concurrency: delivery.limit(),
      inFlight: delivery.inFlight(),
      frames: ledger.frames(),
      bytes: ledger.bytes(),
      waiting: intake.waiting(),
    })
  }

  function drain(): void {
    draining = true
    work()
  }

  return {
    start() {
      timers.push(clock.every(1000, tick))
      tick()
      void open()
    },
    on: {
      frame(message) {
        const { session, seq, slot } = message
        // Sent before the journal knew that the writer began anew: it is not lent to this life, and comes again.
        if (session !== context.epoch) return
        intake.accept(message)
        if (slot !== undefined) context.send(from, { type: 'taken', writer: name, session, seq })
        work()
      },
      breaker({ action }) {
        heldOpen = action === 'open'
        delivery.hold(action === 'open' ? 'open' : action === 'close' ? 'closed' : undefined)
      },
      drain,
      end_of_input: drain,
    },
    async stop() {
      ending.abort()
      for (const cancel of timers) cancel()
      cancelFlush?.()
      // What is open or waits is not sent any more: the journal has it.
      await delivery.stop(stopWaitMs)
      await burial.stop()
      await backend.close()
      // The last `done` leaves in a microtask.
      await Promise.resolve()
    },
  }
}
