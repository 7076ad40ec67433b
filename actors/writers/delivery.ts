// Carries batches to a backend until every record is stored or dead: retries, order in a lane, splits, dead letters. Written once for all.
import type { Logger } from 'pino'
import type { DeliveryOptions } from '../../protocol/config/backends.js'
import type { BreakerState } from '../../runtime/breaker.js'
import { type Clock, sleep } from '../../runtime/clock.js'
import type { Metrics } from '../../runtime/metrics.js'
import { backoffMs } from '../../runtime/retry.js'
import type { Burial } from './burial.js'
import { createGate } from './gate.js'
import { type Batch, failed, type Fault, type Part, type Result, type Turn } from './writer.js'

export interface Delivery<B extends Batch> {
  /** Hands a batch over; its memory and the journal's credit bound how many there are. */
  offer(batch: B): void
  /** Batches offered and not yet through. */
  pending(): number
  readonly breaker: () => BreakerState
  /** See Breaker.hold. */
  hold(held: 'open' | 'closed' | undefined): void
  readonly limit: () => number
  readonly inFlight: () => number
  /** The last fault while nothing has been stored since; for the status. */
  fault(): Fault | undefined
  /** Starts nothing new; waits for what is in flight, at most this long, then cuts it off. */
  stop(waitMs: number): Promise<void>
}

export interface DeliveryContext<B extends Batch> {
  readonly backend: string
  readonly options: DeliveryOptions
  readonly clock: Clock
  random(): number
  readonly log: Logger
  readonly metrics: Metrics
  readonly burial: Burial
  attempt(batch: B, turn: Turn): Promise<Result<B>>
  settled(parts: readonly Part[]): void
  /** A batch is through: memory may have become free. */
  moved(): void
  breakerChanged(state: BreakerState): void
}

export function createDelivery<B extends Batch>(context: DeliveryContext<B>): Delivery<B> {
  const { backend, options, clock, metrics, burial } = context
  const random = () => context.random()
  const gate = createGate(options, clock, random, (state) => context.breakerChanged(state))
  const lanes = new Map<number, Promise<void>>()
  const stopping = new AbortController()
  const cutting = new AbortController()
  let pending = 0
  let storedMs = Number.NEGATIVE_INFINITY
  let fault: Fault | undefined

  /** One try under a permit; the signal aborts on timeout and on shutdown. */
  async function tryOnce(batch: B, number: number, firstMs: number): Promise<Result<B> | undefined> {
    const permit = await gate.enter()
    if (permit === undefined) return undefined
    const startedMs = clock.monotonic()
    const abort = new AbortController()
    const cut = () => abort.abort()
    cutting.signal.addEventListener('abort', cut, { once: true })
    const cancel = clock.after(options.timeout, cut)
    let result: Result<B>
    try {
      result = await context.attempt(batch, { number, signal: abort.signal, firstMs, storedMs })
    } catch (error) {
      context.log.error({ err: error, backend }, 'a bug in the writer: the try counts as failed')
      result = failed(batch, { kind: 'down', reason: String(error) })
    }
    cancel()
    cutting.signal.removeEventListener('abort', cut)
    const cutOff = cutting.signal.aborted && result.fault !== undefined
    if (!cutOff) count(batch, result, clock.monotonic() - startedMs)
    gate.leave(permit, cutOff ? 'abandoned' : (result.fault ?? 'stored'), result.settled.length > 0)
    return result
  }

  function count(batch: B, result: Result<B>, tookMs: number): void {
    const outcome = result.fault?.kind ?? (result.next.length > 0 ? 'split' : 'stored')
    metrics.add('write_requests_total', 1, { backend, outcome })
    metrics.observe('write_seconds', tookMs / 1000, { backend })
    const records = result.settled.reduce((sum, part) => sum + part.records, 0)
    if (records > 0) {
      storedMs = clock.monotonic()
      metrics.add('write_records_total', records, { backend })
      metrics.add('write_bytes_total', batch.bytes, { backend })
    }
    fault = result.fault
    if (fault !== undefined) metrics.add('write_failed_total', 1, { backend })
  }

  /** Tries one batch until it is through; returns what it was split into, or undefined on shutdown. */
  async function carry(batch: B): Promise<readonly B[] | undefined> {
    const firstMs = clock.monotonic()
    for (let number = 1; ; number++) {
      const result = await tryOnce(batch, number, firstMs)
      if (result === undefined) return undefined
      if (result.settled.length > 0) context.settled(result.settled)
      if (result.refused.length > 0 && !(await burial.bury(result.refused, number))) return undefined
      if (result.fault !== undefined) {
        const waitMs = backoffMs(options.retry, number, random, result.fault.retryAfterMs)
        await sleep(clock, waitMs, stopping.signal)
        if (stopping.signal.aborted) return undefined
      }
      if (result.next.includes(batch)) continue
      batch.release?.()
      return result.next
    }
  }

  /** Depth first and in order, so that the halves of a batch go before what was offered after it. */
  async function deliver(first: B): Promise<void> {
    const stack: B[] = [first]
    for (let batch = stack.pop(); batch !== undefined; batch = stack.pop()) {
      const next = stopping.signal.aborted ? undefined : await carry(batch)
      if (next === undefined) return
      for (let n = next.length - 1; n >= 0; n--) stack.push(next[n] as B)
    }
  }

  async function run(batch: B, before: Promise<void> | undefined): Promise<void> {
    if (before !== undefined) await before
    await deliver(batch)
    pending--
    context.moved()
  }

  return {
    offer(batch) {
      pending++
      if (batch.lane === undefined) return void run(batch, undefined)
      const { lane } = batch
      const through = run(batch, lanes.get(lane))
      lanes.set(lane, through)
      void through.then(() => {
        if (lanes.get(lane) === through) lanes.delete(lane)
      })
    },
    pending: () => pending,
    breaker: gate.breaker,
    hold: (held) => gate.hold(held),
    limit: gate.limit,
    inFlight: gate.inFlight,
    fault: () => fault,
    async stop(waitMs) {
      stopping.abort()
      gate.close()
      const deadlineMs = clock.monotonic() + waitMs
      while (gate.inFlight() > 0 && clock.monotonic() < deadlineMs) await sleep(clock, 20)
      cutting.abort()
      // What was cut off ends within one turn of its socket; the bound only guards against a backend that ignores its signal.
      for (let n = 0; gate.inFlight() > 0 && n < 50; n++) await sleep(clock, 10)
    },
  }
}
