// Sends frames to one backend on demand, whole or only some of their records, with the writers' own encoders and delivery.
import type { Logger } from 'pino'
import { createKernel } from '../../kernel/kernel.js'
import type { ElasticsearchOptions, LokiOptions } from '../../protocol/config/backends.js'
import type { Clock } from '../../runtime/clock.js'
import { createFrameCodec, frameCodecBytes, readFrameHeader } from '../../runtime/frame-codec.js'
import type { Metrics } from '../../runtime/metrics.js'
import { createBackend, kernelBytesOf } from './backends.js'
import { createDelivery } from './delivery.js'
import { createSelection, selectionBytes } from './selection.js'
import { type Batch, EVERYTHING, type LoadedFrame, type Part, type Refused } from './writer.js'

export interface Sent {
  /** Records stored, or found to be there already. */
  readonly stored: number
  /** Records that the backend can never take. */
  readonly refused: readonly Refused[]
  /** Records of which nothing is known: the sender was stopped, or the backend did not answer in time. */
  readonly open: number
}

export interface Sender {
  /**
   * Sends the records with these numbers (default: all) of an encoded frame; what the backend has already is left as it is. Several
   * frames may be under way, but not two of the same id. Resolves when each record is stored or refused, or after `waitMs` with what is open.
   */
  send(encoded: Uint8Array, numbers: ReadonlySet<number> | undefined, waitMs: number): Promise<Sent>
  /** Why nothing goes on, if so. */
  fault(): string | undefined
  close(): Promise<void>
}

export interface SenderOptions {
  readonly name: string
  readonly options: ElasticsearchOptions | LokiOptions
  readonly nodeId: string
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  readonly metrics: Metrics
}

const KERNEL_OWN_BYTES = 5 * 1024 * 1024
const BATCH_BYTES_MAX = 1024 * 1024
const STOP_WAIT_MS = 1000

interface Owed {
  left: number
  stored: number
  readonly refused: Refused[]
  done(): void
}

/** Rejects when the backend cannot be opened within its timeout. */
export async function openSender(given: SenderOptions): Promise<Sender> {
  const { name, clock, log, metrics } = given
  // Beside a writer of the same backend: little memory, and no more than one request at a time.
  const options = {
    ...given.options,
    concurrency_max: 1,
    batch_bytes: Math.min(given.options.batch_bytes, BATCH_BYTES_MAX),
    ...(given.options.type === 'loki' ? { lanes: 1 } : {}),
  }
  const kernel = createKernel({
    memoryBytes: KERNEL_OWN_BYTES + frameCodecBytes() + kernelBytesOf(options) + selectionBytes(options),
  })
  const codec = createFrameCodec(kernel)
  const owed = new Map<number, Owed>()
  const wanted = new Map<number, ReadonlySet<number>>()
  const closing = new AbortController()
  let seq = 0
  let wake: () => void = () => undefined
  let encoding: Promise<void> = Promise.resolve()

  function settle(parts: readonly Part[], refused?: readonly Refused[]): void {
    for (const part of parts) {
      const debt = owed.get(part.seq)
      if (debt === undefined) continue
      debt.left -= part.records
      if (refused === undefined) debt.stored += part.records
      if (debt.left <= 0) debt.done()
    }
  }

  function refuse(refused: readonly Refused[]): void {
    for (const one of refused) {
      if (wanted.get(one.seq)?.has(one.n) === false) continue
      owed.get(one.seq)?.refused.push(one)
      settle([{ seq: one.seq, records: 1 }], refused)
    }
  }

  const delivery = createDelivery<Batch>({
    backend: name,
    options,
    clock,
    random: given.random,
    log,
    metrics,
    burial: {
      async bury(refused) {
        refuse(refused)
        return true
      },
      blocked: () => undefined,
      stop: async () => undefined,
    },
    attempt: (batch, turn) => backend.attempt(batch, turn),
    settled: (parts) => settle(parts),
    moved() {
      backend.flush(EVERYTHING)
      wake()
    },
    breakerChanged: () => undefined,
  })
  const selection = createSelection(kernel, options)
  const backend = createBackend(options, {
    name,
    nodeId: given.nodeId,
    kernel,
    clock,
    log,
    metrics,
    offer(batch) {
      const chosen = selection.choose(batch, (frameSeq, n) => wanted.get(frameSeq)?.has(n) ?? true)
      if (chosen !== batch) batch.release?.()
      if (chosen !== undefined) delivery.offer(chosen)
    },
    refuse,
  })
  await backend.open(AbortSignal.timeout(options.timeout))

  /** One frame at a time: its raw body lies in the codec's memory until it is encoded. */
  async function encode(number: number, encoded: Uint8Array): Promise<void> {
    const { header, rawPtr, indexPtr } = codec.open(encoded)
    const frame: LoadedFrame = { seq: number, ordinal: number, header, rawPtr, indexPtr, suspect: true }
    while (!closing.signal.aborted && !backend.encode(frame)) await new Promise<void>((go) => (wake = go))
    backend.flush(EVERYTHING)
  }

  return {
    async send(encoded, numbers, waitMs) {
      const number = ++seq
      const { header } = readFrameHeader(encoded)
      const left = numbers?.size ?? header.count
      if (left === 0) return { stored: 0, refused: [], open: 0 }
      if (numbers !== undefined) wanted.set(number, numbers)
      let finish: () => void = () => undefined
      const finished = new Promise<void>((resolve) => (finish = resolve))
      const debt: Owed = { left, stored: 0, refused: [], done: finish }
      owed.set(number, debt)
      const cancel = clock.after(waitMs, finish)
      closing.signal.addEventListener('abort', finish, { once: true })
      try {
        const taken = encoding.then(() => encode(number, encoded))
        encoding = taken.catch(() => undefined)
        await Promise.race([taken.then(() => finished), finished])
      } finally {
        cancel()
        closing.signal.removeEventListener('abort', finish)
        owed.delete(number)
        if (debt.left <= 0) wanted.delete(number)
      }
      return { stored: debt.stored, refused: debt.refused, open: Math.max(0, debt.left) }
    },
    fault: () => delivery.fault()?.reason,
    async close() {
      closing.abort()
      wake()
      await delivery.stop(STOP_WAIT_MS)
      await backend.close()
    },
  }
}
