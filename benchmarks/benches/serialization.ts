// JSON, msgpack, CBOR and Protobuf over the same records: time, size and garbage of each, beside the kernel that makes no objects.
import { fileURLToPath } from 'node:url'
import { ALLOCATION_FLAGS } from '../harness/allocation.js'
import type { Bench, Case, Measurement } from '../harness/bench.js'
import { lastLineOf } from '../harness/process.js'
import { CODECS } from './serialization-codecs.js'

const WORK = fileURLToPath(new URL('./serialization-work.js', import.meta.url))

export const serializationBench: Bench = {
  name: 'serialization',
  summary:
    'JSON, msgpack, CBOR and Protobuf over the same record of about 365 bytes, and the kernel, which makes no objects',
  metrics: [
    { key: 'nanosPerRecord', label: 'encode + decode', unit: 'CPU ns', better: 'lower' },
    { key: 'encodeNanos', label: 'encode', unit: 'CPU ns', better: 'lower' },
    { key: 'decodeNanos', label: 'decode', unit: 'CPU ns', better: 'lower' },
    { key: 'bytesPerRecord', label: 'a record', unit: 'bytes', better: 'lower' },
    { key: 'recordsPerSecond', label: 'records per CPU second', unit: '', better: 'higher' },
    { key: 'garbageBytes', label: 'garbage a record', unit: 'bytes', better: 'lower' },
    { key: 'gcMillisPerMillion', label: 'GC pauses', unit: 'ms a million', better: 'lower', digits: 1 },
  ],
  ratios: ['nanosPerRecord'],
  rounds: { default: 5, quick: 1, warmUp: 0 },
  options: {},
  async open() {
    const missing: string[] = []
    const names: string[] = []
    for (const [name, load] of Object.entries(CODECS))
      await load().then(
        () => names.push(name),
        () => missing.push(name),
      )
    return {
      cases: [
        ...names.map((name): Case => workCase(name, name)),
        workCase('kernel: scan, judge and splice', 'kernel'),
      ],
      notes: [
        'each in a process of its own; encoding gives bytes, decoding an object; the kernel does both at once, canonical fields added',
        ...missing.map((name) => `${name}: its package is for development only and not installed here`),
      ],
    }
  },
}

function workCase(name: string, argument: string): Case {
  return {
    name,
    role: argument === 'JSON' ? 'reference' : 'measured',
    ...(argument === 'JSON' ? {} : { against: 'JSON' }),
    measure: async () => JSON.parse(await lastLineOf([...ALLOCATION_FLAGS, WORK, argument])) as Measurement,
  }
}
