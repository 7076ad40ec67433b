// A node under steady load with rotations for minutes or hours: does memory grow, do descriptors stay open, does it fall behind?
import { createTraffic } from '../generate/traffic.js'
import type { Bench, Case, Measurement } from '../harness/bench.js'
import { courseCurve, type Sample, slope, watchNode } from '../harness/course.js'
import { startLiveNode } from '../harness/node.js'
import { writeOpenLoop } from '../harness/open-loop.js'
import { parseLoopCase } from '../harness/parse-loop.js'
import { summarize } from '../harness/statistics.js'
import { type Scratch, writeCorpus } from '../harness/scratch.js'
import { arrived } from './arrived.js'

/** What the kubelet keeps beside the live file. */
const KEEP_ROTATED = 5
const CASE = 'millrace'
const REFERENCE = 'JSON.parse loop at that rate'
/** A loop over so many tells its CPU a record. */
const REFERENCE_RECORDS_MAX = 200_000
/** While a heap finds its size it grows: the slope is that of what follows. */
const WARM_SHARE = 0.3
/**
 * Memory is flat when the median RSS of the last third of a run is at most so much above that of the middle third; the first is for the
 * heap to find its size. A slope over minutes, told for an hour, would judge what is left of the warm-up.
 */
const GROWTH_PERCENT_MAX = 5
/** A heap grows for a minute or more: in a shorter run the middle third is still part of that. */
const JUDGED_SECONDS_MIN = 180

export const soakBench: Bench = {
  name: 'soak',
  summary: 'steady load with rotations for long: growth of memory, open descriptors, lag',
  metrics: [
    { key: 'rssSlope', label: 'RSS grows', unit: 'MB an hour', better: 'lower', digits: 1 },
    {
      key: 'rssGrowthPercent',
      label: 'median RSS, last third over middle third',
      unit: '%',
      better: 'lower',
      digits: 1,
    },
    { key: 'rssMegabytes', label: 'RSS at the end', unit: 'MB', better: 'lower' },
    { key: 'peakRssMegabytes', label: 'peak RSS', unit: 'MB', better: 'lower' },
    { key: 'descriptorsFirst', label: 'descriptors when warm', unit: '', better: 'neither' },
    { key: 'descriptorsLast', label: 'at the end', unit: '', better: 'lower' },
    { key: 'lagSecondsMost', label: 'lag at most', unit: 's', better: 'lower', digits: 2 },
    { key: 'journalMegabytesMost', label: 'journal at most', unit: 'MB', better: 'lower' },
    { key: 'cpuPercent', label: 'CPU', unit: '% of a core', better: 'lower' },
    { key: 'records', label: 'records', unit: '', better: 'neither' },
  ],
  ratios: ['cpuPercent'],
  rounds: { default: 1, quick: 1, warmUp: 0 },
  options: {
    for: { value: 'duration', default: '10m', quick: '5s', text: 'how long, such as 10m or 6h' },
    rate: { value: 'n', default: '10000', quick: '2000', text: 'records per second' },
    pods: { value: 'n', default: '50', quick: '5', text: 'files that are written' },
    rotate: { value: 'MB', default: '10', quick: '0.2', text: 'size at which a file is rotated' },
    every: { value: 'ms', default: '1000', quick: '200', text: 'interval of the samples' },
  },
  async open(options, kit) {
    const { scratch } = kit
    const durationMs = options.durationMs('for')
    const rate = options.number('rate', 1)
    const sinks = await kit.sinks()
    let samples: readonly Sample[] = []
    const notes = [
      'lag is what is written and not acknowledged by both, in seconds of the rate; all records arrived in the end, else there is no report',
    ]
    return {
      cases: [
        loopAtRate(scratch, rate),
        {
          name: CASE,
          role: 'measured',
          against: REFERENCE,
          async measure() {
            const root = scratch.fresh('soak')
            const traffic = createTraffic({
              root,
              pods: options.count('pods', 1),
              seed: 1,
              rotateBytes: options.number('rotate') * 1e6,
              keepRotated: KEEP_ROTATED,
            })
            const node = await startLiveNode({ scratch, name: 'soak', root, sinks })
            await sinks.reset()
            const course = watchNode(node, sinks, traffic.written, options.number('every', 50))
            samples = course.samples
            const records = Math.round((rate * durationMs) / 1000)
            const reports = createReports(kit.say, traffic.written)
            try {
              const cpuBefore = node.usage().cpuSeconds
              await writeOpenLoop({
                traffic,
                recordsPerSecond: rate,
                records,
                onStep: reports,
                stop: kit.stop,
              })
              await arrived(sinks, traffic.written())
              await course.end()
              const usage = node.usage()
              const figures = courseFigures(course.samples, rate)
              if (figures['rssGrowthPercent'] === undefined)
                notes.push(
                  `too short to judge whether memory grows: that takes ${JUDGED_SECONDS_MIN} s (--for 4m)`,
                )
              return {
                ...figures,
                peakRssMegabytes: usage.peakRssBytes / 1e6,
                cpuPercent: (100_000 * (usage.cpuSeconds - cpuBefore)) / durationMs,
                records: traffic.written(),
              }
            } finally {
              await course.end()
              traffic.close()
              await node.stop()
            }
          },
        },
      ],
      notes,
      bars: [
        { what: 'memory under load', case: CASE, metric: 'peakRssMegabytes', most: 250 },
        { what: 'memory stays flat', case: CASE, metric: 'rssGrowthPercent', most: GROWTH_PERCENT_MAX },
      ],
      plots: () => [
        {
          title: 'memory and journal',
          xLabel: 'seconds',
          yLabel: 'MB',
          curves: [
            courseCurve('RSS', samples, (sample) => sample.rssMegabytes),
            courseCurve('journal', samples, (sample) => sample.journalMegabytes),
          ],
        },
        {
          title: 'open descriptors',
          xLabel: 'seconds',
          yLabel: 'descriptors',
          curves: [courseCurve('descriptors', samples, (sample) => sample.descriptors)],
        },
      ],
    }
  },
}

/** What the same records a second would cost a plain loop. */
function loopAtRate(scratch: Scratch, recordsPerSecond: number): Case {
  return {
    name: REFERENCE,
    role: 'reference',
    async measure() {
      const records = Math.min(REFERENCE_RECORDS_MAX, Math.max(10_000, recordsPerSecond * 10))
      const corpus = writeCorpus(scratch.fresh('loop'), records, { pods: 1 })
      const { recordsPerCpuSecond = 0, peakRssMegabytes = 0 } = await parseLoopCase(corpus).measure(0)
      scratch.remove('loop')
      return { cpuPercent: (100 * recordsPerSecond) / recordsPerCpuSecond, peakRssMegabytes }
    },
  }
}

/** What the samples tell; `rate` turns records into seconds. */
export function courseFigures(samples: readonly Sample[], rate: number): Measurement {
  const warm = samples.slice(Math.floor(samples.length * WARM_SHARE))
  const last = samples.at(-1)
  return {
    rssSlope: slope(warm.map(({ seconds, rssMegabytes }) => [seconds / 3600, rssMegabytes] as const)),
    ...growthFigure(samples),
    rssMegabytes: last?.rssMegabytes ?? 0,
    descriptorsFirst: warm[0]?.descriptors ?? 0,
    descriptorsLast: last?.descriptors ?? 0,
    lagSecondsMost: Math.max(
      0,
      ...warm.map(({ writtenRecords, acknowledgedRecords }) => (writtenRecords - acknowledgedRecords) / rate),
    ),
    journalMegabytesMost: Math.max(0, ...samples.map(({ journalMegabytes }) => journalMegabytes)),
  }
}

/** Nothing for a run that is too short to judge. */
function growthFigure(samples: readonly Sample[]): Measurement {
  const seconds = samples.at(-1)?.seconds ?? 0
  if (seconds < JUDGED_SECONDS_MIN) return {}
  const medianOf = (third: number): number | undefined => {
    const within = samples.filter((each) => Math.min(2, Math.floor((3 * each.seconds) / seconds)) === third)
    return within.length === 0 ? undefined : summarize(within.map(({ rssMegabytes }) => rssMegabytes)).median
  }
  const [middle, last] = [medianOf(1), medianOf(2)]
  return middle === undefined || last === undefined ? {} : { rssGrowthPercent: (100 * last) / middle - 100 }
}

/** A line a minute, so that a soak of hours shows that it lives. */
function createReports(say: (line: string) => void, written: () => number): () => void {
  let nextMs = performance.now() + 60_000
  return () => {
    if (performance.now() < nextMs) return
    nextMs += 60_000
    say(`${written()} records written`)
  }
}
