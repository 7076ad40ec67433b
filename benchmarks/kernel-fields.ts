// What configured status and latency fields cost: scan and judge of the same records without names, with names that no record has, and with both in each.
import type { FieldNames } from '../kernel/fields.js'
import { createKernel } from '../kernel/kernel.js'
import { createScanner, type Scanner } from '../kernel/scanner.js'
import { FORMAT_CRI } from '../kernel/table.js'
import { generateLine } from './generate/lines.js'
import { seededRandom } from './generate/random.js'

const SLAB_BYTES = 512 * 1024
const RECORDS_MAX = 1024
const MEMORY_BYTES = 32 * 1024 * 1024
const FRAME_BYTES = 64 * 1024
const ALL_TRUST = 255
const STAMP = '2026-01-02T03:04:05.678901234Z'
/** Each slab's pass is short, and all cases take turns: what else runs on the machine hits all alike. */
const ROUNDS = 400
const WARM_ROUNDS = 20

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

interface Case {
  readonly name: string
  readonly scanner: Scanner
  readonly ptr: number
  readonly scanNs: number[]
  readonly judgeNs: number[]
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

function caseOf(name: string, fields: FieldNames, bytes: Buffer): Case {
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
  return { name, scanner, ptr, scanNs: [], judgeNs: [] }
}

/** Scans and judges the slab once; what it took a record, in ns. */
function pass({ scanner, ptr, scanNs, judgeNs }: Case, bytes: number): void {
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
  scanNs.push(Number(scanned) / records)
  judgeNs.push(Number(judged) / records)
}

/** The best pass: all others were disturbed. */
function best(values: readonly number[]): number {
  return values.slice(WARM_ROUNDS).reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY)
}

export function reportFields(): void {
  const bytes = slab()
  const cases = [
    caseOf('no fields configured', NO_FIELDS, bytes),
    caseOf('configured, in no record', OTHER_FIELDS, bytes),
    caseOf('both in every record', FIELDS, bytes),
  ]
  for (let round = 0; round < ROUNDS; round++) for (const one of cases) pass(one, bytes.length)
  for (const { name, scanNs, judgeNs } of cases) {
    const [scan, judge] = [best(scanNs), best(judgeNs)]
    process.stdout.write(
      `status and latency fields, ${name}: scan ${scan.toFixed(0)} ns a record, judge ${judge.toFixed(0)} ns\n`,
    )
  }
}
