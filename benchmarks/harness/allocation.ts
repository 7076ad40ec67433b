// Time and garbage of a piece of work that runs over many records, in a process started with its flags.
import { PerformanceObserver } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'

/** A young generation so large that nothing is collected within one batch, and a way to collect between two. */
export const ALLOCATION_FLAGS: readonly string[] = [
  '--expose-gc',
  '--min-semi-space-size=64',
  '--max-semi-space-size=64',
]

export interface AllocationResult {
  readonly nanosPerRecord: number
  /** Heap and buffers that one record leaves behind. */
  readonly garbageBytes: number
  /** Pauses of the collector for a million records. */
  readonly gcMillisPerMillion: number
}

const WARM_UP_MS = 300
const MEASURE_MS = 700
const GARBAGE_BATCHES = 5

/** `work` goes over all `records` once. */
export async function measureAllocation(records: number, work: () => void): Promise<AllocationResult> {
  let pausesMs = 0
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) pausesMs += duration
  })
  runFor(WARM_UP_MS, work)
  const garbage = garbageOf(work) / records
  observer.observe({ entryTypes: ['gc'] })
  const before = process.cpuUsage()
  const times = runFor(MEASURE_MS, work)
  const { user, system } = process.cpuUsage(before)
  // The observer is told in a later turn.
  await turn()
  await turn()
  observer.disconnect()
  return {
    nanosPerRecord: ((user + system) * 1000) / (times * records),
    garbageBytes: Math.max(0, garbage),
    gcMillisPerMillion: (pausesMs * 1e6) / (times * records),
  }
}

function runFor(leastMs: number, work: () => void): number {
  let times = 0
  for (const endMs = performance.now() + leastMs; times === 0 || performance.now() < endMs; times++) work()
  return times
}

function garbageOf(work: () => void): number {
  const collect = (globalThis as { gc?: () => void }).gc
  if (collect === undefined) return Number.NaN
  const held = (): number => {
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return heapUsed + arrayBuffers
  }
  let least = Number.POSITIVE_INFINITY
  for (let batch = 0; batch < GARBAGE_BATCHES; batch++) {
    collect()
    const before = held()
    work()
    least = Math.min(least, held() - before)
  }
  return least
}
