// More than the backends take: memory stays bounded, and what the journal's bound does is what the configuration says.
import { setTimeout as sleep } from 'node:timers/promises'
import { MillraceError } from '../../protocol/errors.js'
import { createTraffic } from '../generate/traffic.js'
import type { Bench, Case } from '../harness/bench.js'
import { courseCurve, type Sample, watchNode } from '../harness/course.js'
import { type LiveNode, startLiveNode } from '../harness/node.js'
import { writeOpenLoop } from '../harness/open-loop.js'
import type { Options } from '../harness/options.js'
import type { Scratch } from '../harness/scratch.js'
import type { Sinks } from '../harness/sinks.js'

type AtBound = 'block' | 'drop_oldest'

interface Scene {
  readonly scratch: Scratch
  readonly sinks: Sinks
  readonly rate: number
  readonly seconds: number
  readonly pods: number
  readonly journalMegabytes: number
  readonly manner: 'slow' | 'refuse'
  readonly overloaded: boolean
}

const REFERENCE = 'backends that take all of it'
const SAMPLE_EVERY_MS = 250
const LOOK_EVERY_MS = 100
/** Once the backends take all again: the node must get there, or the measurement fails. */
const STANDSTILL_MS_MAX = 60_000

export const overloadBench: Bench = {
  name: 'overload',
  summary:
    'twice what the backends take: memory, the bound of the journal, and whether every record is accounted for',
  metrics: [
    { key: 'peakRssMegabytes', label: 'peak RSS', unit: 'MB', better: 'lower' },
    { key: 'journalMegabytesMost', label: 'journal at most', unit: 'MB', better: 'lower' },
    { key: 'waitingMost', label: 'records waiting in files at most', unit: '', better: 'neither' },
    { key: 'acknowledgedPerSecond', label: 'acknowledged', unit: 'records/s', better: 'higher' },
    { key: 'drainSeconds', label: 'to catch up', unit: 's', better: 'lower', digits: 1 },
    { key: 'givenUpPercent', label: 'given up (counted)', unit: '%', better: 'lower', digits: 1 },
    { key: 'unaccounted', label: 'unaccounted', unit: 'records', better: 'lower' },
    { key: 'restarts', label: 'restarts', unit: '', better: 'lower' },
  ],
  ratios: ['peakRssMegabytes'],
  rounds: { default: 1, quick: 1, warmUp: 0 },
  options: {
    rate: {
      value: 'n',
      default: '20000',
      quick: '4000',
      text: 'records per second; each backend takes half',
    },
    seconds: { value: 'n', default: '30', quick: '5', text: 'how long the overload lasts' },
    pods: { value: 'n', default: '10', text: 'files that are written' },
    journal: { value: 'MB', default: '16', quick: '1', text: 'journal.bytes_max' },
    manner: { value: 'slow|refuse', default: 'slow', text: 'late answers, or 429 beyond a second of queue' },
  },
  async open(options, kit) {
    const { scratch } = kit
    const sinks = await kit.sinks()
    const scene: Scene = {
      scratch,
      sinks,
      rate: options.number('rate', 2),
      seconds: options.number('seconds', 1),
      pods: options.count('pods', 1),
      journalMegabytes: options.number('journal', 0.5),
      manner: mannerOf(options),
      overloaded: true,
    }
    const notes = [
      'policy `block`: at the bound of the journal reading stops and files wait; nothing is given up',
      'policy `drop_oldest`: the oldest segment goes, and its records are counted for the backend that lacked them (given up: of both)',
    ]
    const courses = new Map<string, readonly Sample[]>()
    const cases = (['block', 'drop_oldest'] as const).map((atBound) =>
      overloadCase(`at_bound: ${atBound}`, atBound, scene, courses),
    )
    return {
      cases: [
        overloadCase(REFERENCE, 'block', { ...scene, overloaded: false }, courses),
        ...cases.map((each) => tellOfNoDrop(each, notes)),
      ],
      bars: cases.flatMap(({ name }) => [
        { what: 'memory under overload', case: name, metric: 'peakRssMegabytes', most: 250 },
        { what: 'every record accounted for', case: name, metric: 'unaccounted', most: 0 },
      ]),
      notes,
      plots: () => [
        {
          title: 'memory and journal',
          xLabel: 'seconds',
          yLabel: 'MB',
          curves: [...courses].flatMap(([name, samples]) => [
            courseCurve(`RSS, ${name}`, samples, (sample) => sample.rssMegabytes),
            courseCurve(`journal, ${name}`, samples, (sample) => sample.journalMegabytes),
          ]),
        },
      ],
    }
  },
}

function mannerOf(options: Options): 'slow' | 'refuse' {
  const text = options.text('manner')
  if (text === 'slow' || text === 'refuse') return text
  throw new MillraceError('usage.bench', `--manner: got "${text}", expected slow or refuse`)
}

/** A policy that had nothing to do has not been shown. */
function tellOfNoDrop(each: Case, notes: string[]): Case {
  return {
    ...each,
    async measure(round) {
      const measured = await each.measure(round)
      if (each.name.endsWith('drop_oldest') && measured['givenUpPercent'] === 0)
        notes.push(
          `${each.name}: nothing was given up in this run: reading waited before the bound of the journal did`,
        )
      return measured
    },
  }
}

function overloadCase(
  name: string,
  atBound: AtBound,
  scene: Scene,
  courses: Map<string, readonly Sample[]>,
): Case {
  return {
    name,
    ...(scene.overloaded ? { role: 'measured', against: REFERENCE } : { role: 'reference' }),
    async measure() {
      const { scratch, sinks, rate, seconds } = scene
      const root = scratch.fresh('overload')
      const traffic = createTraffic({ root, pods: scene.pods, seed: 1 })
      const segmentBytes = Math.round((scene.journalMegabytes * 1e6) / 8)
      const node = await startLiveNode({
        scratch,
        name: 'overload',
        root,
        sinks,
        more: `journal: { bytes_max: ${Math.round(scene.journalMegabytes * 1e6)}, segment_bytes: ${segmentBytes}, at_bound: ${atBound} }`,
      })
      const course = watchNode(node, sinks, traffic.written, SAMPLE_EVERY_MS)
      courses.set(name, course.samples)
      try {
        await sinks.reset()
        if (scene.overloaded) await sinks.limit({ recordsPerSecond: rate / 2, manner: scene.manner })
        await writeOpenLoop({ traffic, recordsPerSecond: rate, records: Math.round(rate * seconds) })
        const acknowledged = await acknowledgedBy(sinks)
        await sinks.limit(undefined)
        const drainedFromMs = performance.now()
        const missing = await drained(node, sinks, traffic.written())
        const drainSeconds = (performance.now() - drainedFromMs) / 1000
        await course.end()
        const { givenUp } = await account(node)
        const { groups } = await node.status()
        return {
          peakRssMegabytes: node.usage().peakRssBytes / 1e6,
          journalMegabytesMost: Math.max(...course.samples.map((sample) => sample.journalMegabytes)),
          waitingMost: Math.max(
            ...course.samples.map((sample) => Math.max(0, sample.writtenRecords - sample.readRecords)),
          ),
          acknowledgedPerSecond: acknowledged / 2 / seconds,
          drainSeconds,
          givenUpPercent: (100 * givenUp) / (2 * traffic.written()),
          unaccounted: missing,
          restarts: Object.values(groups).reduce((sum, { restarts }) => sum + restarts, 0),
        }
      } finally {
        await course.end()
        traffic.close()
        await node.stop()
      }
    },
  }
}

/** By both together. */
async function acknowledgedBy(sinks: Sinks): Promise<number> {
  const { es, loki } = await sinks.stats()
  return es.records + loki.records
}

/** Waits until each record is acknowledged or counted as given up, for both; resolves to how many are neither when nothing moves any more (below 0: how many are both). */
async function drained(node: LiveNode, sinks: Sinks, records: number): Promise<number> {
  let before = -1
  let sinceMs = performance.now()
  for (;;) {
    const { givenUp } = await account(node)
    const settled = (await acknowledgedBy(sinks)) + givenUp
    if (settled >= 2 * records) return 2 * records - settled
    if (settled !== before) [before, sinceMs] = [settled, performance.now()]
    if (performance.now() - sinceMs > STANDSTILL_MS_MAX) return 2 * records - settled
    await sleep(LOOK_EVERY_MS)
  }
}

/** Records that the journal gave up at its bound, summed over the backends. */
async function account(node: LiveNode): Promise<{ givenUp: number }> {
  const text = await node.metrics()
  const found = text.matchAll(/^log_pipeline_journal_dropped_records_total\{[^}]*\} (\S+)/gm)
  return { givenUp: [...found].reduce((sum, match) => sum + Number(match[1]), 0) }
}
