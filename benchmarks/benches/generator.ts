// The load generator measured like the pipeline: it has to write more than the pipeline reads.
import type { Case } from '../harness/bench.js'
import { type Scratch, writeCorpus } from '../harness/scratch.js'

/** What `bench generate` does as fast as it can, in this process: the same records, into files. */
export function generatorCase(scratch: Scratch, records: number, pods: number): Case {
  return {
    name: 'the load generator',
    role: 'reference',
    async measure() {
      const root = scratch.fresh('generated')
      const fromMs = performance.now()
      const before = process.cpuUsage()
      writeCorpus(root, records, { pods })
      const { user, system } = process.cpuUsage(before)
      const seconds = (performance.now() - fromMs) / 1000
      scratch.remove('generated')
      return {
        recordsPerSecond: records / seconds,
        recordsPerCpuSecond: (records * 1e6) / (user + system),
      }
    },
  }
}
