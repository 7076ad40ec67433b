// Writes records when they are due, whatever the reader does: record n is due at begin + n / rate, and late ones are written at once.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Traffic } from '../generate/traffic.js'
import { sharedNowMs } from '../sinks/arrivals.js'

export interface OpenLoop {
  readonly traffic: Traffic
  readonly recordsPerSecond: number
  readonly records: number
  /** Ends the writing early. */
  readonly stop?: AbortSignal
  /** After each step, with what is written by now. */
  onStep?(written: number): void
}

export interface OpenLoopResult {
  /** On the shared clock; record n (from 0, of this loop) was due `n / rate` later. */
  readonly beginMs: number
  /** How late the writer itself was at worst: part of every latency that is counted from when a record was due. */
  readonly latestMs: number
}

const STEP_MS = 1

export async function writeOpenLoop(loop: OpenLoop): Promise<OpenLoopResult> {
  const { traffic, recordsPerSecond, records } = loop
  traffic.prepare()
  const beginMs = sharedNowMs()
  const wallMs = Date.now() - beginMs
  let written = 0
  let latestMs = 0
  while (written < records && loop.stop?.aborted !== true) {
    const nowMs = sharedNowMs()
    const due = Math.min(records, Math.floor(((nowMs - beginMs) * recordsPerSecond) / 1000) + 1)
    if (due > written) {
      const firstDueMs = beginMs + (written / recordsPerSecond) * 1000
      latestMs = Math.max(latestMs, nowMs - firstDueMs)
      traffic.write(due - written, wallMs + firstDueMs, wallMs + Math.max(nowMs, firstDueMs + 0.001))
      written = due
      loop.onStep?.(written)
    }
    await sleep(STEP_MS)
  }
  return { beginMs, latestMs }
}
