// What it costs to make a new object for each record, to take one from a pool, to use the same again, and to use none.
import { fileURLToPath } from 'node:url'
import { ALLOCATION_FLAGS } from '../harness/allocation.js'
import type { Bench, Case, Measurement } from '../harness/bench.js'
import { lastLineOf } from '../harness/process.js'
import { HOLDERS } from './reuse-holders.js'

const WORK = fileURLToPath(new URL('./reuse-work.js', import.meta.url))
const REFERENCE = 'new object'

export const reuseBench: Bench = {
  name: 'reuse',
  summary:
    'holding records between two steps: a new object each, a pool, the same objects again, a table of numbers',
  metrics: [
    { key: 'nanosPerRecord', label: 'a record', unit: 'CPU ns', better: 'lower', digits: 1 },
    { key: 'garbageBytes', label: 'garbage a record', unit: 'bytes', better: 'lower', digits: 1 },
    { key: 'gcMillisPerMillion', label: 'GC pauses', unit: 'ms a million', better: 'lower', digits: 2 },
  ],
  ratios: ['nanosPerRecord'],
  rounds: { default: 5, quick: 1, warmUp: 0 },
  options: {},
  open: async () => ({
    cases: Object.keys(HOLDERS).map(
      (name): Case => ({
        name,
        role: name === REFERENCE ? 'reference' : 'measured',
        ...(name === REFERENCE ? {} : { against: REFERENCE }),
        measure: async () => JSON.parse(await lastLineOf([...ALLOCATION_FLAGS, WORK, name])) as Measurement,
      }),
    ),
    notes: [
      'nine fields filled, judged and collected, 1,024 records a batch, each way in a process of its own',
    ],
  }),
}
