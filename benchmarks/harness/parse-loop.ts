// The reference of everything that reads a corpus: a plain loop of JSON.parse, one field and JSON.stringify in a process of its own.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Case } from './bench.js'
import { lastLineOf } from './process.js'
import type { CorpusOnDisk } from './scratch.js'

const WORK = fileURLToPath(new URL('../benches/parse-loop-work.js', import.meta.url))

export function parseLoopCase(corpus: CorpusOnDisk, name = 'JSON.parse loop'): Case {
  return {
    name,
    role: 'reference',
    async measure() {
      const { recordsPerSecond, recordsPerCpuSecond, peakRssMegabytes, records } = JSON.parse(
        await lastLineOf([WORK, ...filesUnder(corpus.root)]),
      ) as Record<string, number>
      if (records !== corpus.records) throw new Error(`the loop read ${records} of ${corpus.records} records`)
      return {
        recordsPerSecond: recordsPerSecond ?? 0,
        recordsPerCpuSecond: recordsPerCpuSecond ?? 0,
        megabytesPerCpuSecond: ((recordsPerCpuSecond ?? 0) * corpus.bytes) / corpus.records / 1e6,
        peakRssMegabytes: peakRssMegabytes ?? 0,
      }
    },
  }
}

function filesUnder(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}
