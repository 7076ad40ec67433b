// Puts refused records into the dead letters, one call after the other, and settles them once they are durable.
import type { Logger } from 'pino'
import { saidOf } from '../../protocol/errors.js'
import { type Clock, sleep } from '../../runtime/clock.js'
import type { DeadLetters } from '../../runtime/dead-letters.js'
import type { Metrics } from '../../runtime/metrics.js'
import { backoffMs } from '../../runtime/retry.js'
import { addPart, type Part, type Refused } from './writer.js'

export interface Burial {
  /** Resolves once the records are durable in the dead letters and settled; false when the writer stopped first. */
  bury(refused: readonly Refused[], tries: number): Promise<boolean>
  /** Why nothing can be buried (disk full, bound reached), for the status. */
  blocked(): string | undefined
  stop(): Promise<void>
}

export interface BurialContext {
  readonly backend: string
  readonly letters: DeadLetters
  readonly clock: Clock
  random(): number
  readonly log: Logger
  readonly metrics: Metrics
  settled(parts: readonly Part[]): void
}

const RETRY = { initial: 200, max: 5000 }
/** One log line a reason and this long: a flood of refusals must not become a flood of log. */
const LOG_EVERY_MS = 10_000

export function createBurial(context: BurialContext): Burial {
  const { backend, clock, letters, log, metrics } = context
  const stopping = new AbortController()
  const said = new Map<string, number>()
  let last: Promise<boolean> = Promise.resolve(true)
  let blocked: string | undefined

  async function put(refused: readonly Refused[], tries: number): Promise<boolean> {
    const time = new Date(clock.now()).toISOString()
    const lines = refused.map(({ reason, detail, frame, n, record }) => {
      return { backend, reason, ...(detail === undefined ? {} : { detail }), time, tries, frame, n, record }
    })
    for (let failures = 1; !stopping.signal.aborted; failures++) {
      try {
        await letters.put(lines)
        blocked = undefined
        return true
      } catch (error) {
        blocked = saidOf(error)
        if (failures === 1)
          log.error({ backend }, `dead letters cannot be written, delivery waits: ${blocked}`)
        await sleep(
          clock,
          backoffMs(RETRY, failures, () => context.random()),
          stopping.signal,
        )
      }
    }
    return false
  }

  function count(refused: readonly Refused[]): void {
    const byReason = new Map<string, number>()
    for (const { reason } of refused) byReason.set(reason, (byReason.get(reason) ?? 0) + 1)
    for (const [reason, records] of byReason) {
      metrics.add('dead_letters_total', records, { backend, reason })
      const now = clock.monotonic()
      if (now - (said.get(reason) ?? Number.NEGATIVE_INFINITY) < LOG_EVERY_MS) continue
      said.set(reason, now)
      log.warn({ backend, reason, records }, 'records went to the dead letters')
    }
  }

  async function bury(
    before: Promise<boolean>,
    refused: readonly Refused[],
    tries: number,
  ): Promise<boolean> {
    await before
    if (!(await put(refused, tries))) return false
    count(refused)
    const parts: { seq: number; records: number }[] = []
    for (const { seq } of refused) addPart(parts, seq, 1)
    context.settled(parts)
    return true
  }

  return {
    bury(refused, tries) {
      last = bury(last, refused, tries)
      return last
    },
    blocked: () => blocked,
    async stop() {
      stopping.abort()
      await last
      await letters.close()
    },
  }
}
