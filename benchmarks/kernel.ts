// bench:kernel: how fast the scanner splits, validates and indexes lines, beside JSON.parse over the same records in the same run.
import { parseArgs } from 'node:util'
import { createKernel } from '../kernel/kernel.js'
import { createScanner, type Scanner } from '../kernel/scanner.js'
import { FORMAT_CRI, FORMAT_LINES } from '../kernel/table.js'
import { generateLine } from './generate/lines.js'
import { seededRandom } from './generate/random.js'
import { reportFields } from './kernel-fields.js'

interface Corpus {
  readonly name: string
  readonly format: number
  readonly bytes: Buffer
  readonly records: number
  /** For JSON.parse: the records without what the container runtime puts before them. */
  readonly texts: readonly string[]
}

const SLAB_BYTES = 512 * 1024
const CORPUS_BYTES = 32 * 1024 * 1024
const RECORDS_MAX = 1024
const FRAME_BYTES = 8 * 1024 * 1024
const MEMORY_BYTES = 64 * 1024 * 1024
const ALL_TRUST = 255
const STAMP = '2026-01-02T03:04:05.678901234Z'

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } })
const rounds = Number(values.rounds)

const scanner = createScanner(createKernel({ memoryBytes: MEMORY_BYTES }), {
  inputBytes: SLAB_BYTES,
  recordsMax: RECORDS_MAX,
  contexts: 1,
  frameBytes: FRAME_BYTES,
  frameRecordsMax: RECORDS_MAX,
  seed: 1n,
})

for (const corpus of [
  jsonCorpus('JSON in CRI lines', FORMAT_CRI, `${STAMP} stdout F `),
  jsonCorpus('JSON lines', FORMAT_LINES, ''),
  textCorpus(),
])
  report(corpus)
reportFields()

function jsonCorpus(name: string, format: number, prefix: string): Corpus {
  const random = seededRandom(1)
  return corpusOf(name, format, prefix, (seq) =>
    generateLine({ service: 'payment-api', seq, stamp: STAMP, zoo: false, random }).content.toString(),
  )
}

function textCorpus(): Corpus {
  return corpusOf(
    'text in CRI lines',
    FORMAT_CRI,
    `${STAMP} stderr F `,
    (seq) =>
      `INFO payment-api handled request ${seq} of a customer in ${seq % 977} ms: ${'all is well '.repeat(24)}`,
  )
}

function corpusOf(name: string, format: number, prefix: string, make: (seq: number) => string): Corpus {
  const texts: string[] = []
  const lines: string[] = []
  for (let bytes = 0; bytes < CORPUS_BYTES; bytes += (lines.at(-1) ?? '').length) {
    const text = make(texts.length)
    texts.push(text)
    lines.push(`${prefix}${text}\n`)
  }
  return { name, format, bytes: Buffer.from(lines.join('')), records: texts.length, texts }
}

/** The whole corpus once, slab by slab as a source reads it; the copy into the slab stands for the read and is part of the time. */
function scanAll(into: Scanner, { bytes, format }: Corpus): number {
  let records = 0
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + SLAB_BYTES)
    const cut = end === bytes.length ? end : bytes.lastIndexOf(0x0a, end - 1) + 1
    into.input.set(bytes.subarray(at, cut))
    const to = into.inputPtr + (cut - at)
    for (let from = into.inputPtr; from < to; from = into.resume())
      records += into.scanLines(from, to, format, ALL_TRUST)
    at = cut
  }
  return records
}

function parseAll({ texts }: Corpus): number {
  let records = 0
  for (const text of texts) if (typeof JSON.parse(text) === 'object') records++
  return records
}

/** Best of all rounds, in CPU seconds of the whole process: the first ones still compile. */
function bestSeconds(run: () => number, expected: number): number {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round <= rounds; round++) {
    const before = process.cpuUsage()
    const records = run()
    const { user, system } = process.cpuUsage(before)
    if (records !== expected) throw new Error(`${records} of ${expected} records`)
    best = Math.min(best, (user + system) / 1e6)
  }
  return best
}

function report(corpus: Corpus): void {
  const { name, bytes, records } = corpus
  const scan = bestSeconds(() => scanAll(scanner, corpus), records)
  const rate = (seconds: number): string => (bytes.length / seconds / 1e9).toFixed(2)
  const head = `${name}, ${Math.round(bytes.length / records)} bytes each: scan ${rate(scan)} GB/s (${((scan / records) * 1e6).toFixed(2)} µs a record)`
  if (!corpus.texts[0]?.startsWith('{')) return void process.stdout.write(`${head}\n`)
  const parse = bestSeconds(() => parseAll(corpus), records)
  process.stdout.write(`${head}; JSON.parse ${rate(parse)} GB/s; ratio ${(parse / scan).toFixed(1)}\n`)
}
