// A node watched over time: memory, descriptors, lag and the journal, sampled at a fixed interval, and how memory grows.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Curve } from './bench.js'
import type { LiveNode } from './node.js'
import type { Sinks } from './sinks.js'

export interface Sample {
  readonly seconds: number
  readonly rssMegabytes: number
  readonly descriptors: number
  readonly journalMegabytes: number
  readonly writtenRecords: number
  /** By the backend that has the fewest. */
  readonly acknowledgedRecords: number
  readonly readRecords: number
}

export interface Course {
  readonly samples: readonly Sample[]
  /** Takes a last sample and ends. Rejects with what sampling met. */
  end(): Promise<void>
}

/** A soak of a day at the default interval stays within it. */
const SAMPLES_MAX = 100_000

export function watchNode(
  node: LiveNode,
  sinks: Sinks,
  writtenRecords: () => number,
  everyMs: number,
): Course {
  const samples: Sample[] = []
  const startedMs = performance.now()
  const ending = new AbortController()

  async function sample(): Promise<void> {
    const [status, { es, loki }] = [await node.status(), await sinks.stats()]
    const { rssBytes, descriptors } = node.usage()
    if (samples.length >= SAMPLES_MAX) return
    samples.push({
      seconds: (performance.now() - startedMs) / 1000,
      rssMegabytes: rssBytes / 1e6,
      descriptors,
      journalMegabytes: status.journal.bytes / 1e6,
      writtenRecords: writtenRecords(),
      acknowledgedRecords: Math.min(es.records, loki.records),
      readRecords: status.counters.readRecords,
    })
  }

  async function run(): Promise<void> {
    while (!ending.signal.aborted) {
      await sample()
      await sleep(everyMs, undefined, { signal: ending.signal }).catch(() => undefined)
    }
    await sample()
  }
  const running = run()
  // Its failure is told by end(); until then nobody waits for it.
  running.catch(() => undefined)

  return {
    samples,
    async end() {
      ending.abort()
      await running
    },
  }
}

/** Least squares: by how much `y` grows with each `x`. 0 for fewer than two points. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (pick: 0 | 1): number => points.reduce((sum, point) => sum + point[pick], 0) / points.length
  const [meanX, meanY] = [mean(0), mean(1)]
  let [over, under] = [0, 0]
  for (const [x, y] of points) {
    over += (x - meanX) * (y - meanY)
    under += (x - meanX) ** 2
  }
  return under > 0 ? over / under : 0
}

export function courseCurve(
  name: string,
  samples: readonly Sample[],
  value: (sample: Sample) => number,
): Curve {
  return { name, points: samples.map((sample) => [sample.seconds, value(sample)] as const) }
}
