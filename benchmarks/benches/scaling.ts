// How the cost of a record grows with the number of files, the size of a record, the number of services, and with threads.
import { MillraceError } from '../../protocol/errors.js'
import type { Bench, Case, Curve } from '../harness/bench.js'
import { type FinishedRun, measureStart, runNodeOnce } from '../harness/node.js'
import type { Options } from '../harness/options.js'
import { parseLoopCase } from '../harness/parse-loop.js'
import { type Scratch, writeCorpus } from '../harness/scratch.js'
import type { Sinks } from '../harness/sinks.js'
import { pipelineMeasurement } from './pipeline.js'

interface Scene {
  readonly scratch: Scratch
  readonly sinks: Sinks
  readonly start: FinishedRun
  readonly records: number
  readonly curves: Map<Axis, Map<number, number>>
}

const AXES = ['files', 'bytes', 'services', 'threads'] as const
type Axis = (typeof AXES)[number]

/** Which actors share a thread, by the number of threads they make. */
const SCANNER = 'parse, enrich, sample'
const WRITERS = 'es: [writer.es], loki: [writer.loki]'
const PLACEMENTS: Readonly<Record<number, string>> = {
  2: `{ ingest: ["source.*", ${SCANNER}], delivery: [journal, "writer.*"] }`,
  3: `{ ingest: ["source.*", ${SCANNER}], journal: [journal], writers: ["writer.*"] }`,
  4: `{ ingest: ["source.*", ${SCANNER}], journal: [journal], ${WRITERS} }`,
  5: `{ sources: ["source.*"], scan: [${SCANNER}], journal: [journal], ${WRITERS} }`,
}
/** What a record of the other axes has. */
const USUAL_BYTES = 365
const USUAL_FILES = 10
const SERVICES_FILES = 100
/** With large records the same number of records would be gigabytes. */
const CORPUS_BYTES_MAX = 500e6

export const scalingBench: Bench = {
  name: 'scaling',
  summary:
    'cost of a record by number of files, size of records, number of services and of threads, everything kept',
  metrics: [
    { key: 'steadyRecordsPerCpuSecond', label: 'records per CPU second', unit: '', better: 'higher' },
    { key: 'megabytesPerCpuSecond', label: 'MB per CPU second', unit: '', better: 'higher' },
    {
      key: 'recordsPerCpuSecond',
      label: 'records per CPU second, start included',
      unit: '',
      better: 'higher',
    },
    { key: 'recordsPerSecond', label: 'records/s', unit: '', better: 'higher' },
    { key: 'peakRssMegabytes', label: 'peak RSS', unit: 'MB', better: 'lower' },
  ],
  ratios: ['megabytesPerCpuSecond'],
  rounds: { default: 3, quick: 1, warmUp: 0 },
  options: {
    records: {
      value: 'n',
      default: '300000',
      quick: '20000',
      text: 'records in each corpus; fewer where they are large',
    },
    files: { value: 'n,n,…', default: '1,10,100,1000', quick: '1,100', text: 'numbers of files' },
    bytes: {
      value: 'n,n,…',
      default: '100,400,1600,6400,16384',
      quick: '100,6400',
      text: 'sizes of a record',
    },
    services: {
      value: 'n,n,…',
      default: '1,100,1000,10000',
      quick: '1,1000',
      text: 'numbers of services, all in 100 files',
    },
    threads: {
      value: 'n,n,…',
      default: '2,3,4,5',
      quick: '2,5',
      text: 'threads for the flow of the records: 2 reads and scans apart from journal and writers, 5 has one for each step',
    },
  },
  async open(options, kit) {
    const { scratch } = kit
    const sinks = await kit.sinks()
    const start = await measureStart(scratch, sinks)
    const records = options.count('records', 1)
    const scene: Scene = { scratch, sinks, start, records, curves: new Map() }
    return {
      cases: AXES.flatMap((axis) => axisCases(axis, options, scene)),
      notes: [
        `the start (${start.cpuSeconds.toFixed(2)} CPU seconds with the threads that the node chooses) is taken off where nothing else is said`,
        'parse, enrich and sample are one lane; threads show what it gives to take the other steps apart on this machine',
        'the reference is the JSON.parse loop over a corpus of the same shape, in MB, measured in the same round',
      ],
      plots: () =>
        AXES.map((axis) => ({
          title: `records per CPU second by ${axis}`,
          xLabel: axis,
          yLabel: 'records per CPU second',
          xScale: 'log' as const,
          curves: [curveOf(axis, scene)],
        })),
    }
  },
}

/** Throws for a number of threads that there is no placement for. */
function placementOf(axis: Axis, value: number): string | undefined {
  if (axis !== 'threads') return undefined
  const placement = PLACEMENTS[value]
  if (placement === undefined)
    throw new MillraceError('usage.bench', `--threads: got ${value}, expected 2 to 5`)
  return placement
}

function curveOf(axis: Axis, { curves }: Scene): Curve {
  const points = [...(curves.get(axis) ?? [])].toSorted(([a], [b]) => a - b)
  return { name: axis, points }
}

function axisCases(axis: Axis, options: Options, scene: Scene): Case[] {
  return options.numbers(axis, 1).flatMap((value) => {
    const name = `${value.toLocaleString('en-US')} ${axis === 'bytes' ? 'bytes a record' : axis}`
    // Corpora are made when their turn comes and deleted after it: all together they would fill a small disk.
    const corpus = () => makeCorpus(axis, value, scene)
    const reference: Case = {
      name: `JSON.parse loop, ${name}`,
      role: 'reference',
      async measure() {
        const measured = await parseLoopCase(corpus()).measure(0)
        scene.scratch.remove('scaling')
        return { ...measured, steadyRecordsPerCpuSecond: measured['recordsPerCpuSecond'] ?? 0 }
      },
    }
    return [reference, { ...measuredCase(axis, value, corpus, scene), name, against: reference.name }]
  })
}

function makeCorpus(axis: Axis, value: number, { scratch, records }: Scene): ReturnType<typeof writeCorpus> {
  const bytes = axis === 'bytes' ? value : USUAL_BYTES
  const services = axis === 'services' ? value : undefined
  const pods = axis === 'files' ? value : axis === 'services' ? SERVICES_FILES : USUAL_FILES
  const fitting = Math.min(records, Math.floor(CORPUS_BYTES_MAX / bytes))
  return writeCorpus(scratch.fresh('scaling'), Math.max(fitting, pods), {
    pods,
    services,
    ...(axis === 'bytes' ? { sizes: [value, value] as const } : {}),
  })
}

function measuredCase(
  axis: Axis,
  value: number,
  makeIt: () => ReturnType<typeof writeCorpus>,
  { scratch, sinks, start, curves }: Scene,
): Pick<Case, 'role' | 'measure'> {
  return {
    role: 'measured',
    async measure() {
      const corpus = makeIt()
      const run = await runNodeOnce(
        { scratch, name: 'scaling-node', root: corpus.root, sinks, placement: placementOf(axis, value) },
        corpus.records,
      )
      scratch.remove('scaling')
      const measured = pipelineMeasurement(run, start)
      const steady = measured['steadyRecordsPerCpuSecond'] ?? 0
      const points = curves.get(axis) ?? new Map<number, number>()
      points.set(value, steady)
      curves.set(axis, points)
      return { ...measured, megabytesPerCpuSecond: (steady * corpus.bytes) / corpus.records / 1e6 }
    },
  }
}
