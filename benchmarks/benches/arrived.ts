// Waits until both sinks have acknowledged what was written.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sinks } from '../harness/sinks.js'

const LOOK_EVERY_MS = 20
/** After the last line: what is not acknowledged by then is lost, and the measurement fails. */
const STANDSTILL_MS_MAX = 60_000

/** Rejects when nothing more has come for a minute. */
export async function arrived(sinks: Sinks, records: number): Promise<void> {
  let before = -1
  let sinceMs = performance.now()
  for (;;) {
    const { es, loki } = await sinks.stats()
    const now = es.records + loki.records
    if (es.records >= records && loki.records >= records) return
    if (now !== before) [before, sinceMs] = [now, performance.now()]
    if (performance.now() - sinceMs > STANDSTILL_MS_MAX)
      throw new Error(
        `of ${records} records ${es.records} and ${loki.records} have come, and none for a minute`,
      )
    await sleep(LOOK_EVERY_MS)
  }
}
