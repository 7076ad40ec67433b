// From the moment a line is due in its file to the moment both backends have acknowledged it, at fixed rates that nothing slows down.
import { createTraffic } from '../generate/traffic.js'
import type { Bench, Case, Curve, Measurement } from '../harness/bench.js'
import { createLatencies, type Latencies } from '../harness/histogram.js'
import { measureStart, runNodeOnce, startLiveNode } from '../harness/node.js'
import { writeOpenLoop } from '../harness/open-loop.js'
import type { Options } from '../harness/options.js'
import { type Scratch, writeCorpus } from '../harness/scratch.js'
import type { Sinks } from '../harness/sinks.js'
import { arrived } from './arrived.js'
import { directPosts } from './direct-posts.js'

interface Scene {
  readonly scratch: Scratch
  readonly sinks: Sinks
  readonly seconds: number
  readonly settleSeconds: number
  readonly pods: number
  readonly batchAgeMs: number
}

const REFERENCE = 'one POST to each sink'
const REFERENCE_PER_SECOND = 50
const MAXIMUM_SHARES = [0.1, 0.25, 0.5]

export const latencyBench: Bench = {
  name: 'latency',
  summary: 'line due in its file → acknowledged by both backends; open loop at fixed rates, everything kept',
  metrics: [
    { key: 'p99Millis', label: 'p99', unit: 'ms', better: 'lower' },
    { key: 'p50Millis', label: 'p50', unit: 'ms', better: 'lower', digits: 1 },
    { key: 'p90Millis', label: 'p90', unit: 'ms', better: 'lower' },
    { key: 'p999Millis', label: 'p99.9', unit: 'ms', better: 'lower' },
    { key: 'mostMillis', label: 'most', unit: 'ms', better: 'lower' },
    { key: 'writerLateMillis', label: 'writer late at worst', unit: 'ms', better: 'neither' },
    { key: 'cpuPercent', label: "node's CPU", unit: '% of a core', better: 'lower' },
    { key: 'peakRssMegabytes', label: 'peak RSS', unit: 'MB', better: 'lower' },
  ],
  ratios: ['p50Millis'],
  rounds: { default: 3, quick: 1, warmUp: 0 },
  options: {
    rates: {
      value: 'n,n,…|auto',
      default: 'auto',
      quick: '2000',
      text: 'records per second; auto: a tenth, a quarter and half of the most that this machine does',
    },
    seconds: { value: 'n', default: '20', quick: '3', text: 'how long each rate is measured' },
    settle: { value: 'n', default: '3', quick: '1', text: 'seconds before that which do not count' },
    pods: { value: 'n', default: '10', text: 'files that are written' },
    'batch-age': { value: 'ms', default: '200', text: 'batch_age_max of frames and of both backends' },
    'max-records': {
      value: 'n',
      default: '500000',
      text: 'with auto: records that the most is measured with',
    },
  },
  async open(options, kit) {
    const { scratch } = kit
    const sinks = await kit.sinks()
    const scene: Scene = {
      scratch,
      sinks,
      seconds: options.number('seconds', 1),
      settleSeconds: options.number('settle'),
      pods: options.count('pods', 1),
      batchAgeMs: options.number('batch-age', 1),
    }
    const rates = await ratesOf(options, scene, kit.say)
    const curves = new Map<string, Curve>()
    const cases = rates.map((rate) => rateCase(rate, scene, curves))
    const half = cases.at(-1)?.name ?? ''
    return {
      cases: [referenceCase(sinks, scene.seconds), ...cases],
      bars: [{ what: `p99 at ${half}`, case: half, metric: 'p99Millis', most: 500 }],
      notes: [
        `batch_age_max ${scene.batchAgeMs} ms for frames and for batches; latency counts from when a line was due, so a late writer or a stalled reader is part of it`,
      ],
      plots: () => [
        {
          title: 'latency by percentile (last round)',
          xLabel: '1 / (1 − percentile)',
          yLabel: 'ms',
          xScale: 'log',
          curves: [...curves.values()],
        },
      ],
    }
  },
}

async function ratesOf(
  options: Options,
  scene: Scene,
  say: (line: string) => void,
): Promise<readonly number[]> {
  if (options.text('rates') !== 'auto') return options.numbers('rates', 1)
  const { scratch, sinks } = scene
  const records = options.count('max-records', 1)
  const start = await measureStart(scratch, sinks)
  const corpus = writeCorpus(scratch.fresh('most'), records, { pods: scene.pods })
  const run = await runNodeOnce({ scratch, name: 'most', root: corpus.root, sinks }, records)
  scratch.remove('most')
  const most = records / Math.max(0.1, run.seconds - start.seconds)
  say(`the most that this machine does now: ${Math.round(most)} records/s`)
  return MAXIMUM_SHARES.map((share) => Number((most * share).toPrecision(2)))
}

function rateCase(rate: number, scene: Scene, curves: Map<string, Curve>): Case {
  const name = `${rate.toLocaleString('en-US')} records/s`
  return {
    name,
    role: 'measured',
    against: REFERENCE,
    async measure() {
      const { latencies, ...more } = await measureRate(rate, scene)
      curves.set(name, latencies.curve(name))
      return { ...percentiles(latencies), ...more }
    },
  }
}

async function measureRate(
  rate: number,
  { scratch, sinks, seconds, settleSeconds, pods, batchAgeMs }: Scene,
): Promise<{ latencies: Latencies; writerLateMillis: number; cpuPercent: number; peakRssMegabytes: number }> {
  const root = scratch.fresh('latency')
  const node = await startLiveNode({
    scratch,
    name: 'latency',
    root,
    sinks,
    backend: `batch_age_max: ${batchAgeMs}ms`,
    more: `records: { batch_age_max: ${batchAgeMs}ms }`,
  })
  const traffic = createTraffic({ root, pods, seed: 1 })
  try {
    const records = Math.round(rate * (settleSeconds + seconds))
    await sinks.reset()
    await sinks.watch(records)
    const cpuBefore = node.usage().cpuSeconds
    const { beginMs, latestMs } = await writeOpenLoop({ traffic, recordsPerSecond: rate, records })
    await arrived(sinks, records)
    const usage = node.usage()
    const { es, loki } = await sinks.take()
    const latencies = createLatencies()
    for (let seq = Math.round(rate * settleSeconds); seq < records; seq++) {
      const acknowledged = Math.max(es[seq] ?? Number.NaN, loki[seq] ?? Number.NaN)
      if (Number.isNaN(acknowledged)) throw new Error(`record ${seq} has not reached both backends`)
      latencies.addMillis(acknowledged - (beginMs + (seq / rate) * 1000))
    }
    return {
      latencies,
      writerLateMillis: latestMs,
      cpuPercent: (100 * (usage.cpuSeconds - cpuBefore)) / (settleSeconds + seconds),
      peakRssMegabytes: usage.peakRssBytes / 1e6,
    }
  } finally {
    traffic.close()
    await node.stop()
  }
}

function referenceCase(sinks: Sinks, seconds: number): Case {
  return {
    name: REFERENCE,
    role: 'reference',
    measure: async () => percentiles(await directPosts(sinks, REFERENCE_PER_SECOND, seconds)),
  }
}

function percentiles(latencies: Latencies): Measurement {
  return {
    p50Millis: latencies.at(50),
    p90Millis: latencies.at(90),
    p99Millis: latencies.at(99),
    p999Millis: latencies.at(99.9),
    mostMillis: latencies.mostMillis(),
  }
}
