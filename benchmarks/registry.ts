// The list of benchmarks. A new one is a file in benches/ that exports a Bench, and a line here.
import { MillraceError } from '../protocol/errors.js'
import type { Bench } from './harness/bench.js'

/** Loaded on demand: most need things that the others do not. */
export const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  kernel: async () => (await import('./benches/kernel.js')).kernelBench,
  fields: async () => (await import('./benches/fields.js')).fieldsBench,
  serialization: async () => (await import('./benches/serialization.js')).serializationBench,
  reuse: async () => (await import('./benches/reuse.js')).reuseBench,
  sampling: async () => (await import('./benches/sampling.js')).samplingBench,
  reload: async () => (await import('./benches/reload.js')).reloadBench,
  journal: async () => (await import('./benches/journal.js')).journalBench,
  writers: async () => (await import('./benches/writers.js')).writersBench,
  pipeline: async () => (await import('./benches/pipeline.js')).pipelineBench,
  latency: async () => (await import('./benches/latency.js')).latencyBench,
  idle: async () => (await import('./benches/idle.js')).idleBench,
  'reload-nats': async () => (await import('./benches/reload-nats.js')).reloadNatsBench,
  fleet: async () => (await import('./benches/fleet.js')).fleetBench,
  soak: async () => (await import('./benches/soak.js')).soakBench,
  overload: async () => (await import('./benches/overload.js')).overloadBench,
  scaling: async () => (await import('./benches/scaling.js')).scalingBench,
  peers: async () => (await import('./benches/peers.js')).peersBench,
}

/** Throws `usage.bench` for one that there is not; `where` begins its message, and `others` are further words that fit there. */
export function loadBench(name: string, where: string, others: readonly string[] = []): Promise<Bench> {
  const load = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined
  if (load !== undefined) return load()
  const known = [...Object.keys(BENCHES), ...others].join(', ')
  throw new MillraceError('usage.bench', `${where}: there is no "${name}"; there are ${known}`)
}
