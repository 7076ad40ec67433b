// The log agents that `bench peers` knows: their binaries, their configurations in benchmarks/peers, and where they buffer.
import type { Peer } from '../harness/peer.js'

const vector = (name: string, buffer: string): Peer => ({
  name,
  binaries: ['vector'],
  config: 'vector.yaml',
  values: { BUFFER: buffer },
  args: (config) => ['--quiet', '--config', config],
})

const fluentBit = (name: string, storage: string): Peer => ({
  name,
  binaries: ['fluent-bit', 'td-agent-bit'],
  config: 'fluent-bit.yaml',
  values: { STORAGE: storage },
  args: (config) => ['--quiet', '--config', config],
})

export const PEERS: readonly Peer[] = [
  vector('Vector, memory buffers', '{ type: memory, max_events: 50000, when_full: block }'),
  vector('Vector, disk buffers', '{ type: disk, max_size: 4294967296, when_full: block }'),
  fluentBit('Fluent Bit, memory buffers', 'memory'),
  fluentBit('Fluent Bit, disk buffers', 'filesystem'),
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
