// The whole pipeline with the journal on: one corpus to both backends, everything kept or sampled as by default.
import { MillraceError } from '../../protocol/errors.js'
import type { Bench, Measurement, Metric } from '../harness/bench.js'
import { type FinishedRun, KEEP_ALL, measureStart, runNodeOnce } from '../harness/node.js'
import { parseLoopCase } from '../harness/parse-loop.js'
import { type MeasuredNats, startMeasuredNats } from '../harness/nats.js'
import { writeCorpus } from '../harness/scratch.js'
import { generatorCase } from './generator.js'

export const PIPELINE_METRICS: readonly Metric[] = [
  { key: 'recordsPerCpuSecond', label: 'records per CPU second', unit: '', better: 'higher' },
  { key: 'steadyRecordsPerCpuSecond', label: 'the same without the start', unit: '', better: 'higher' },
  { key: 'recordsPerSecond', label: 'records/s', unit: '', better: 'higher' },
  { key: 'peakRssMegabytes', label: 'peak RSS', unit: 'MB', better: 'lower' },
  { key: 'keptPercent', label: 'kept', unit: '%', better: 'neither', digits: 1 },
  { key: 'sinksCpuMicros', label: "sinks' CPU a record", unit: 'µs', better: 'neither', digits: 2 },
  { key: 'natsCpuPercent', label: 'of all CPU that of nats-server', unit: '%', better: 'neither', digits: 1 },
  { key: 'natsCpuMicros', label: "nats-server's CPU a record", unit: 'µs', better: 'neither', digits: 2 },
]

export const pipelineBench: Bench = {
  name: 'pipeline',
  summary: 'one corpus through the whole pipeline, journal with fsync, to two acknowledging sinks',
  metrics: PIPELINE_METRICS,
  ratios: ['recordsPerCpuSecond'],
  rounds: { default: 3, quick: 1, warmUp: 0 },
  options: {
    records: { value: 'n', default: '1000000', quick: '100000', text: 'records in the corpus' },
    pods: { value: 'n', default: '1', text: 'files they are in' },
    sampled: {
      text: 'default tiers instead of everything: 60 % INFO, 20 % DEBUG, 10 % TRACE, 7 % WARN, 3 % above',
    },
    'info-rate': {
      value: 'rate|live',
      default: '0.1',
      text: 'with --sampled: rate of INFO; live follows the traffic, and keeps all of a service it has not yet seen for some seconds',
    },
    buffer: {
      value: 'local|jetstream',
      default: 'local',
      text: 'where frames wait for the backends; jetstream: in a nats-server of its own, whose CPU is told apart',
    },
  },
  async open(options, kit) {
    const { scratch } = kit
    const records = options.count('records', 1)
    const sampled = options.has('sampled')
    const buffer = options.text('buffer')
    if (buffer !== 'local' && buffer !== 'jetstream')
      throw new MillraceError('usage.bench', `--buffer: got "${buffer}", expected local or jetstream`)
    const sampling = sampled ? sampledTiers(options.text('info-rate')) : KEEP_ALL
    const pods = options.count('pods', 1)
    const corpus = writeCorpus(scratch.fresh('pods'), records, { pods })
    kit.say(`${records} records, ${Math.round(corpus.bytes / records)} bytes each`)
    const sinks = await kit.sinks()
    const nats = buffer === 'jetstream' ? await startMeasuredNats(kit) : undefined
    const more = nats === undefined ? {} : { more: throughJetStream(nats.url) }
    const start = await measureStart(scratch, sinks, more)
    const name = sampled ? 'sampled' : 'everything kept'
    const variant = [sampled ? 'sampled' : '', buffer === 'jetstream' ? buffer : ''].filter(Boolean).join('-')
    return {
      ...(variant === '' ? {} : { variant }),
      cases: [
        parseLoopCase(corpus),
        generatorCase(scratch, records, pods),
        {
          name,
          role: 'measured',
          against: 'JSON.parse loop',
          async measure() {
            const before = (await sinks.stats()).cpuUs
            const natsBefore = nats?.usage().cpuSeconds ?? 0
            const run = await runNodeOnce(
              { scratch, name: 'pipeline', root: corpus.root, sinks, sampling, ...more },
              records,
            )
            return {
              ...pipelineMeasurement(run, start, (await sinks.stats()).cpuUs - before),
              ...natsMeasurement(nats, natsBefore, run),
            }
          },
        },
      ],
      bars: [
        sampled
          ? { what: "the mission's mix on 2 cores", case: name, metric: 'recordsPerSecond', least: 1_200_000 }
          : {
              what: 'everything to both backends',
              case: name,
              metric: 'recordsPerCpuSecond',
              least: 500_000,
            },
        { what: 'memory at full rate', case: name, metric: 'peakRssMegabytes', most: 250 },
      ],
      notes: [
        `a start and an end without records take ${start.cpuSeconds.toFixed(2)} CPU seconds and ${start.seconds.toFixed(2)} s; they are part of every figure but the second`,
        ...(sampled ? [`sampling: ${sampling}`] : []),
      ],
    }
  },
}

/** One node with both halves: each frame goes through the server once and out of it for each backend. */
const throughJetStream = (url: string) => `nats: { servers: ["${url}"] }\nbuffer: { mode: jetstream }`

function natsMeasurement(
  nats: MeasuredNats | undefined,
  cpuSecondsBefore: number,
  run: FinishedRun,
): Measurement {
  if (nats === undefined) return {}
  const cpuSeconds = nats.usage().cpuSeconds - cpuSecondsBefore
  return {
    natsCpuPercent: (100 * cpuSeconds) / (cpuSeconds + run.cpuSeconds),
    natsCpuMicros: (cpuSeconds * 1e6) / Math.max(1, run.status.counters.keptRecords),
  }
}

function sampledTiers(infoRate: string): string {
  if (infoRate === 'live') return '{}'
  const rate = Number(infoRate)
  if (infoRate.trim() !== '' && rate >= 0 && rate <= 1) return `{ tiers: { info: ${rate} } }`
  throw new MillraceError(
    'usage.bench',
    `--info-rate: got "${infoRate}", expected a rate from 0 to 1, or live`,
  )
}

/** `sinksCpuUs` is left out where the sinks are not watched. */
export function pipelineMeasurement(run: FinishedRun, start: FinishedRun, sinksCpuUs?: number): Measurement {
  const { readRecords, keptRecords } = run.status.counters
  return {
    recordsPerCpuSecond: readRecords / run.cpuSeconds,
    steadyRecordsPerCpuSecond: readRecords / Math.max(0.001, run.cpuSeconds - start.cpuSeconds),
    recordsPerSecond: readRecords / run.seconds,
    peakRssMegabytes: run.peakRssMegabytes,
    keptPercent: (100 * keptRecords) / readRecords,
    ...(sinksCpuUs === undefined ? {} : { sinksCpuMicros: sinksCpuUs / Math.max(1, keptRecords) }),
  }
}
