// Millrace beside Vector, Fluent Bit, the OpenTelemetry Collector and Logstash: the same corpus, the same sinks, everything kept.
import type { Bench, Case } from '../harness/bench.js'
import { measureStart, runNodeOnce } from '../harness/node.js'
import { parseLoopCase } from '../harness/parse-loop.js'
import { measurePeer, onPath, type Peer } from '../harness/peer.js'
import { writeCorpus } from '../harness/scratch.js'
import { PIPELINE_METRICS, pipelineMeasurement } from './pipeline.js'

const vector = (name: string, buffer: string): Peer => ({
  name,
  binaries: ['vector'],
  config: 'vector.yaml',
  values: { BUFFER: buffer },
  args: (config) => ['--quiet', '--config', config],
})

export const PEERS: readonly Peer[] = [
  vector('Vector, memory buffers', '{ type: memory, max_events: 50000, when_full: block }'),
  vector('Vector, disk buffers', '{ type: disk, max_size: 4294967296, when_full: block }'),
  {
    name: 'Fluent Bit',
    binaries: ['fluent-bit', 'td-agent-bit'],
    config: 'fluent-bit.yaml',
    args: (config) => ['--quiet', '--config', config],
  },
  {
    name: 'OpenTelemetry Collector',
    binaries: ['otelcol-contrib', 'otelcol'],
    config: 'otelcol.yaml',
    args: (config) => ['--config', config],
  },
  {
    name: 'Logstash',
    binaries: ['logstash'],
    config: 'logstash.conf',
    args: (config, data) => ['--path.config', config, '--path.data', data, '--log.level', 'error'],
  },
]

const REFERENCE = 'JSON.parse loop'

export const peersBench: Bench = {
  name: 'peers',
  summary: 'the same work by Millrace and by the log agents that are on PATH',
  metrics: PIPELINE_METRICS,
  ratios: ['recordsPerCpuSecond'],
  rounds: { default: 3, quick: 1, warmUp: 0 },
  options: {
    records: { value: 'n', default: '1000000', quick: '50000', text: 'records in the corpus' },
    pods: { value: 'n', default: '1', text: 'files they are in' },
  },
  async open(options, kit) {
    const { scratch } = kit
    const records = options.number('records', 1)
    const corpus = writeCorpus(scratch.fresh('pods'), records, { pods: options.number('pods', 1) })
    const sinks = await kit.sinks()
    const start = await measureStart(scratch, sinks)
    const notes = [
      'Millrace writes a journal with fsync; of the peers only what its name says is on disk',
      'CPU and memory of a peer are read from the kernel when both sinks have every record',
    ]
    const found = PEERS.map((peer) => [peer, onPath(peer.binaries)] as const)
    for (const [{ name, binaries }, binary] of found)
      if (binary === undefined)
        notes.push(`${name}: not measured, there is no ${binaries.join(' or ')} on PATH`)
    const peerCases = found.flatMap(([peer, binary]): Case[] => {
      if (binary === undefined) return []
      return [
        {
          name: peer.name,
          role: 'peer',
          against: REFERENCE,
          async measure() {
            try {
              return await measurePeer(peer, binary, corpus, sinks, scratch)
            } catch (error) {
              // One peer that does not run here must not cost the figures of the others.
              notes.push(`not measured: ${(error as Error).message}`)
              return {}
            }
          },
        },
      ]
    })
    return {
      cases: [
        parseLoopCase(corpus, REFERENCE),
        {
          name: 'Millrace',
          role: 'measured',
          against: REFERENCE,
          async measure() {
            const run = await runNodeOnce({ scratch, name: 'peers', root: corpus.root, sinks }, records)
            return pipelineMeasurement(run, start)
          },
        },
        ...peerCases,
      ],
      notes,
    }
  },
}
