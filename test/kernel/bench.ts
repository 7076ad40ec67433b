// A small kernel for tests, and the comparison of its records with the twin's.
import assert from 'node:assert/strict'
import type { ContextFields } from '../../kernel/context.js'
import { createKernel } from '../../kernel/kernel.js'
import { createScanner, type Scanner } from '../../kernel/scanner.js'
import { FLAG, WORD } from '../../kernel/table.js'
import { canonicalize, type TwinMeta } from '../../kernel/twin.js'

export const NOW_MS = 1_790_000_000_000
export const ALL_TRUST = 255

const base = {
  id: 1,
  service_name: 'cart',
  log_type: 'app',
  log_level: 0,
  pod_uid: 'uid-1',
  namespace: 'shop',
  cluster_id: 'c"1',
} as const

/** Contexts that trust everything, something and (almost) nothing. */
export const CONTEXTS: readonly ContextFields[] = [
  {
    ...base,
    id: 1,
    trust: ALL_TRUST,
    pod_name: 'cart-1',
    container_name: 'app',
    node_name: 'n1',
    labels: { app: 'cart', 'tenant-id': 'ü"\\' },
  },
  { ...base, id: 2, trust: 32, log_type: 'audit', log_level: 3, pod_uid: 'unknown', namespace: 'unknown' },
  { ...base, id: 3, trust: 32 | 1 | 4, node_name: 'n2', log_type: 'metric', container_name: 'main' },
]

export function smallScanner(options?: {
  inputBytes?: number
  recordsMax?: number
  frameBytes?: number
  serviceSlots?: number
}): Scanner {
  const inputBytes = options?.inputBytes ?? 1 << 20
  const frameBytes = options?.frameBytes ?? 1 << 21
  const kernel = createKernel({ memoryBytes: (16 << 20) + inputBytes + 2 * frameBytes })
  const recordsMax = options?.recordsMax ?? 512
  return createScanner(kernel, {
    inputBytes,
    recordsMax,
    contexts: 8,
    frameBytes,
    frameRecordsMax: 4096,
    seed: 42n,
    ...(options?.serviceSlots === undefined ? {} : { serviceSlots: options.serviceSlots }),
  })
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })

/** The lines of the open frame. */
export function frameLines(scanner: Scanner): string[] {
  const { ndjsonPtr, ndjsonBytes } = scanner.sealInfo()
  const text = decoder.decode(scanner.kernel.u8.subarray(ndjsonPtr, ndjsonPtr + ndjsonBytes))
  const lines = text.split('\n')
  assert.equal(lines.pop(), '', 'the frame ends with a newline')
  return lines
}

export interface Expected {
  readonly content: Uint8Array
  readonly meta: TwinMeta
}

/** Judges (keeping all) and emits entries 0 … count-1 and compares each with the twin. */
export function compareWithTwin(
  scanner: Scanner,
  count: number,
  context: ContextFields,
  expected: readonly Expected[],
): void {
  assert.equal(scanner.cleanSlow(0, count, context.trust), count)
  const { ptr } = scanner.contexts.render(context)
  try {
    assert.equal(
      scanner.judge(0, count, ptr, NOW_MS, () => 1),
      true,
    )
    scanner.beginFrame()
    assert.equal(scanner.emit(0, count, ptr), count)
  } finally {
    scanner.contexts.release(ptr)
  }
  const lines = frameLines(scanner)
  let line = 0
  expected.forEach(({ content, meta }, record) => {
    if ((scanner.flags(record) & (FLAG.PARTIAL | FLAG.SKIP)) !== 0) return
    compareRecord(scanner, record, context, { content, meta }, lines[line++] ?? '')
  })
  assert.equal(line, lines.length)
}

function compareRecord(
  scanner: Scanner,
  record: number,
  context: ContextFields,
  expected: Expected,
  line: string,
): void {
  const twin = canonicalize(expected.content, context, expected.meta)
  assert.equal(line, twin.line)
  const parsed: unknown = JSON.parse(line)
  assert.ok(typeof parsed === 'object' && parsed !== null)
  assert.deepEqual(rootKeys(line), [...new Set(rootKeys(line))], 'no key twice')
  const flags = scanner.flags(record)
  assert.equal((flags & FLAG.SLOW) === 0, true, 'nothing is slow after cleaning')
  const got = {
    json: (flags & FLAG.JSON) !== 0,
    level: scanner.word(record, WORD.LEVEL),
    tsNs: scanner.tsNs(record),
    tsDigits: scanner.word(record, WORD.TS_DIGITS),
    traceId: scanner.text(record, WORD.TRACE),
    logType: scanner.word(record, WORD.LOG_TYPE),
    dropped: scanner.word(record, WORD.DROPPED),
    service: scanner.text(record, WORD.SERVICE_RAW)?.slice(1, -1),
    fields: scanner.fieldsOf(record),
  }
  const { json, level, tsNs, tsDigits, traceId, logType, dropped, service, fields } = twin
  assert.deepEqual(got, { json, level, tsNs, tsDigits, traceId, logType, dropped, service, fields }, line)
}

/** The root object's keys in order, duplicates included, by a reviver-free walk. */
function rootKeys(line: string): string[] {
  const keys: string[] = []
  let depth = 0
  for (const found of line.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[[\]{}]/g)) {
    const token = found[0]
    if (token === '{' || token === '[') depth++
    else if (token === '}' || token === ']') depth--
    else if (depth === 1 && found[1] !== undefined)
      keys.push(String(JSON.parse(token.slice(0, token.lastIndexOf('"') + 1))))
  }
  return keys
}
