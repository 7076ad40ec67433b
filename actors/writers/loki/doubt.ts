// What a push may have left at Loki already: entries in doubt are looked up before they are sent, and only the missing ones go.
import type { Logger } from 'pino'
import { systemCode } from '../../../protocol/errors.js'
import type { Metrics } from '../../../runtime/metrics.js'
import type { Fault, Part, Result } from '../writer.js'
import { addPart, failed } from '../writer.js'
import type { LokiAnswer } from './client.js'
import type { Divider } from './divide.js'
import type { PushBatch } from './encoder.js'
import { type LokiQuery, storedOf } from './lookup.js'

export interface Doubt {
  /** Undefined: the push may be sent as it is. Else what came of asking. */
  clear(batch: PushBatch, query: LokiQuery): Promise<Result<PushBatch> | undefined>
  /** A push went out and nobody knows what became of it. */
  unknown(batch: PushBatch): void
}

export interface DoubtContext {
  readonly backend: string
  readonly log: Logger
  readonly metrics: Metrics
  readonly divider: Divider
  faultOf(error: unknown, answer: LokiAnswer | undefined): Fault
}

/** Then the push goes out unchecked: a server that can be written but not read must not stop the flow, and a copy is better than a loss. */
const TRIES_MAX = 5
/** Errors of a connection that was never there. */
const UNSENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

export function neverSent(error: unknown): boolean {
  return UNSENT.has(systemCode(error) ?? '')
}

export function createDoubt({ backend, log, metrics, divider, faultOf }: DoubtContext): Doubt {
  const tries = new WeakMap<PushBatch, number>()

  /** A server that is not there takes no push either, so only what fails in other ways counts. */
  function notAnswered(batch: PushBatch, error: unknown): Result<PushBatch> | undefined {
    const answer = error instanceof Error && 'answer' in error ? (error.answer as LokiAnswer) : undefined
    const fault = faultOf(error, answer)
    if (neverSent(error)) return failed(batch, fault)
    const count = (tries.get(batch) ?? 0) + 1
    tries.set(batch, count)
    if (count < TRIES_MAX) return failed(batch, fault)
    tries.delete(batch)
    batch.unsure.clear()
    metrics.add('write_unchecked_total', batch.records, { backend })
    const text = 'records that may be at Loki already are sent unchecked: it does not answer what it has'
    log.warn({ backend, records: batch.records, reason: fault.reason }, text)
    return undefined
  }

  return {
    async clear(batch, query) {
      if (batch.unsure.size === 0) return undefined
      const entries = divider.entriesOf(batch)
      let stored: ReadonlySet<string>
      try {
        stored = await storedOf(
          entries.filter(({ frame }) => batch.unsure.has(frame)),
          query,
        )
      } catch (error) {
        return notAnswered(batch, error)
      }
      batch.unsure.clear()
      const settled: Part[] = []
      const rest = entries.filter(({ frame, n }) => {
        const missing = !stored.has(`${frame}-${n}`)
        if (!missing) addPart(settled as { seq: number; records: number }[], batch.frames.get(frame) ?? -1, 1)
        return missing
      })
      if (settled.length === 0) return undefined
      metrics.add('write_repeated_total', entries.length - rest.length, { backend })
      return { settled, refused: [], next: rest.length === 0 ? [] : [divider.restOf(rest, batch)] }
    },
    unknown(batch) {
      for (const frame of batch.frames.keys()) batch.unsure.add(frame)
    },
  }
}
