// Millrace beside Vector, Fluent Bit, the OpenTelemetry Collector and Logstash: the same corpus, the same sinks, everything kept.
import { MillraceError } from '../../protocol/errors.js'
import type { Bench, Case, Measurement } from '../harness/bench.js'
import { deliveryText, lookAtDelivery } from '../harness/delivery.js'
import type { Kit } from '../harness/kit.js'
import { measureStart, runNodeOnce } from '../harness/node.js'
import { parseLoopCase } from '../harness/parse-loop.js'
import { onPath, type Peer, runPeer } from '../harness/peer.js'
import { type CorpusOnDisk, writeCorpus } from '../harness/scratch.js'
import { PIPELINE_METRICS, pipelineMeasurement } from './pipeline.js'
import { PEERS } from './peers-list.js'

const REFERENCE = 'JSON.parse loop'
const CHECKED_RECORDS = 20_000
/** The member that each of the configurations adds to a record. */
const ADDED = '"cluster_id":"bench"'

export const peersBench: Bench = {
  name: 'peers',
  summary: 'the same work by Millrace and by the log agents that are on PATH',
  metrics: [
    ...PIPELINE_METRICS,
    { key: 'esPercent', label: 'in Elasticsearch', unit: '%', better: 'higher', digits: 1 },
    { key: 'lokiPercent', label: 'in Loki', unit: '%', better: 'higher', digits: 1 },
    { key: 'esBytes', label: 'sent to Elasticsearch', unit: 'bytes a record', better: 'neither' },
    { key: 'lokiBytes', label: 'to Loki', unit: 'bytes a record', better: 'neither' },
  ],
  ratios: ['recordsPerCpuSecond'],
  rounds: { default: 3, quick: 1, warmUp: 0 },
  options: {
    records: { value: 'n', default: '1000000', quick: '50000', text: 'records in the corpus' },
    pods: { value: 'n', default: '1', text: 'files they are in' },
    only: { value: 'text', default: '', text: 'only peers whose names hold this' },
  },
  async open(options, kit) {
    const { scratch } = kit
    const records = options.count('records', 1)
    const pods = options.count('pods', 1)
    const wanted = wantedPeers(options.text('only'))
    const corpus = writeCorpus(scratch.fresh('pods'), records, { pods })
    const sinks = await kit.sinks()
    const start = await measureStart(scratch, sinks)
    const notes = [
      'Millrace writes a journal with fsync; of the peers only what its name says is on disk',
      'CPU and memory of a peer are read from the kernel when both sinks have every record; those of Millrace hold its end too',
    ]
    const found = wanted.map((peer) => [peer, onPath(peer.binaries)] as const)
    for (const [{ name, binaries }, binary] of found)
      if (binary === undefined)
        notes.push(`${name}: not measured, there is no ${binaries.join(' or ')} on PATH`)
    const there = found.flatMap(([peer, binary]) => (binary === undefined ? [] : [{ peer, binary }]))
    await checkAll(kit, there, notes)
    return {
      cases: [
        parseLoopCase(corpus, REFERENCE),
        {
          name: 'Millrace',
          role: 'measured',
          against: REFERENCE,
          async measure() {
            await sinks.reset()
            const run = await runNodeOnce({ scratch, name: 'peers', root: corpus.root, sinks }, records)
            const { es, loki } = await sinks.stats()
            return { ...pipelineMeasurement(run, start), ...shares({ es, loki }, records) }
          },
        },
        ...there.map((each) => peerCase(each, corpus, kit, notes)),
      ],
      notes,
    }
  },
}

function wantedPeers(only: string): readonly Peer[] {
  const wanted = PEERS.filter(({ name }) => name.includes(only))
  if (wanted.length > 0) return wanted
  const names = PEERS.map(({ name }) => name).join('; ')
  throw new MillraceError('usage.bench', `--only: no peer's name holds "${only}"; there are ${names}`)
}

interface FoundPeer {
  readonly peer: Peer
  readonly binary: string
}

function peerCase({ peer, binary }: FoundPeer, corpus: CorpusOnDisk, kit: Kit, notes: string[]): Case {
  return {
    name: peer.name,
    role: 'peer',
    against: REFERENCE,
    async measure() {
      const sinks = await kit.sinks()
      const { usage, seconds, complaint } = await runPeer(peer, binary, corpus, sinks, kit.scratch)
      const { es, loki } = await sinks.stats()
      const delivered = shares({ es, loki }, corpus.records)
      // What did not do the work has no speed: its shares say how much it did.
      if (complaint !== undefined) {
        notes.push(`${peer.name}: no figure: ${complaint}`)
        return delivered
      }
      return {
        recordsPerCpuSecond: corpus.records / usage.cpuSeconds,
        recordsPerSecond: corpus.records / seconds,
        peakRssMegabytes: usage.peakRssBytes / 1e6,
        ...delivered,
      }
    },
  }
}

interface Counted {
  readonly records: number
  readonly bytes: number
}

function shares(
  { es, loki }: { readonly es: Counted; readonly loki: Counted },
  records: number,
): Measurement {
  return {
    esPercent: (100 * es.records) / records,
    lokiPercent: (100 * loki.records) / records,
    esBytes: es.bytes / Math.max(1, es.records),
    lokiBytes: loki.bytes / Math.max(1, loki.records),
  }
}

/** A run of each beforehand, not measured, in which every record is looked for. */
async function checkAll(kit: Kit, there: readonly FoundPeer[], notes: string[]): Promise<void> {
  const { scratch } = kit
  const sinks = await kit.sinks()
  const corpus = writeCorpus(scratch.fresh('checked'), CHECKED_RECORDS, { pods: 1 })
  const look = async (name: string, run: () => Promise<unknown>): Promise<void> => {
    if (kit.stop.aborted) return
    const text = deliveryText(name, CHECKED_RECORDS, await lookAtDelivery(sinks, CHECKED_RECORDS, ADDED, run))
    kit.say(text)
    notes.push(text)
  }
  await look('Millrace', () =>
    runNodeOnce({ scratch, name: 'checked', root: corpus.root, sinks }, CHECKED_RECORDS),
  )
  for (const { peer, binary } of there)
    await look(peer.name, () => runPeer(peer, binary, corpus, sinks, scratch))
  scratch.remove('checked')
}
