// What configured status and latency fields cost: scan and judge of the same records without names, with names that no record has, and with both in each.
import type { FieldNames } from '../../kernel/fields.js'
import { createKernel } from '../../kernel/kernel.js'
import { createScanner, type Scanner } from '../../kernel/scanner.js'
import { FORMAT_CRI } from '../../kernel/table.js'
import { generateLine } from '../generate/lines.js'
import { seededRandom } from '../generate/random.js'
import type { Bench, Case, Measurement } from '../harness/bench.js'

const SLAB_BYTES = 512 * 1024
const RECORDS_MAX = 1024
const MEMORY_BYTES = 32 * 1024 * 1024
const FRAME_BYTES = 64 * 1024
const ALL_TRUST = 255
const STAMP = '2026-01-02T03:04:05.678901234Z'

const NO_FIELDS: FieldNames = { status: [], latency: [] }
const FIELDS: FieldNames = {
  status: ['status', 'status_code', 'http.status', 'http.status_code'],
  latency: [
    { path: 'latency_ms', unit: 'ms' },
    { path: 'duration_ms', unit: 'ms' },
  ],
}
/** As many names, none of which occurs. */
const OTHER_FIELDS: FieldNames = {
  status: FIELDS.status.map((path) => `other_${path}`),
  latency: FIELDS.latency.map(({ path, unit }) => ({ path: `x_${path}`, unit })),
}

interface Scene {
  readonly scanner: Scanner
  readonly ptr: number
  readonly bytes: number
}

const REFERENCE = 'no fields configured'

export const fieldsBench: Bench = {
  name: 'fields',
  summary: 'what configured status and latency fields cost the scanner and the judge',
  metrics: [
    { key: 'scanNanos', label: 'scan a record', unit: 'ns', better: 'lower' },
    { key: 'judgeNanos', label: 'judge a record', unit: 'ns', better: 'lower' },
  ],
  ratios: ['scanNanos'],
  rounds: { default: 7, quick: 3, warmUp: 1 },
  options: {
    passes: {
      value: 'n',
      default: '60',
      quick: '20',
      text: 'passes over a slab in one measurement; the best counts',
    },
  },
  async open(options) {
    const bytes = slab()
    const passes = options.count('passes', 1)
    const caseOf = (name: string, fields: FieldNames): Case => {
      const scene = sceneOf(fields, bytes)
      return {
        name,
        role: name === REFERENCE ? 'reference' : 'measured',
        ...(name === REFERENCE ? {} : { against: REFERENCE }),
        measure: async () => bestOf(Array.from({ length: passes }, () => pass(scene))),
      }
    }
    return {
      cases: [
        caseOf(REFERENCE, NO_FIELDS),
        caseOf('configured, in no record', OTHER_FIELDS),
        caseOf('both in every record', FIELDS),
      ],
    }
  },
}

function slab(): Buffer {
  const random = seededRandom(1)
  const lines: string[] = []
  for (let bytes = 0; bytes < SLAB_BYTES - 4096; bytes += (lines.at(-1) ?? '').length) {
    const { content } = generateLine({
      service: 'payment-api',
      seq: lines.length,
      stamp: STAMP,
      zoo: false,
      random,
    })
    lines.push(`${STAMP} stdout F ${content.toString()}\n`)
  }
  return Buffer.from(lines.join(''))
}

function sceneOf(fields: FieldNames, bytes: Buffer): Scene {
  const scanner = createScanner(createKernel({ memoryBytes: MEMORY_BYTES }), {
    inputBytes: SLAB_BYTES,
    recordsMax: RECORDS_MAX,
    contexts: 1,
    frameBytes: FRAME_BYTES,
    frameRecordsMax: RECORDS_MAX,
    seed: 1n,
  })
  scanner.setFields(fields)
  scanner.input.set(bytes)
  const names = { service_name: 'payment-api', namespace: 'shop', pod_uid: 'u', cluster_id: 'c' }
  const { ptr } = scanner.contexts.render({
    id: 1,
    trust: ALL_TRUST,
    log_type: 'app',
    log_level: 0,
    ...names,
  })
  return { scanner, ptr, bytes: bytes.length }
}

/** Scans and judges the slab once; what it took a record, in ns. */
function pass({ scanner, ptr, bytes }: Scene): Measurement {
  const to = scanner.inputPtr + bytes
  let [records, scanned, judged] = [0, 0n, 0n]
  for (let from = scanner.inputPtr; from < to; from = scanner.resume()) {
    const start = process.hrtime.bigint()
    const count = scanner.scanLines(from, to, FORMAT_CRI, ALL_TRUST)
    const middle = process.hrtime.bigint()
    scanner.judge(0, count, ptr, 0, () => 1)
    judged += process.hrtime.bigint() - middle
    scanned += middle - start
    records += count
  }
  return { scanNanos: Number(scanned) / records, judgeNanos: Number(judged) / records }
}

/** The best pass of each: all others were disturbed. */
function bestOf(passes: readonly Measurement[]): Measurement {
  const least = (key: string): number =>
    Math.min(...passes.map((each) => each[key] ?? Number.POSITIVE_INFINITY))
  return { scanNanos: least('scanNanos'), judgeNanos: least('judgeNanos') }
}
