// How fast the scanner splits, validates and indexes lines, beside JSON.parse over the same records in the same round.
import { createKernel } from '../../kernel/kernel.js'
import { createScanner, type Scanner } from '../../kernel/scanner.js'
import { FORMAT_CRI, FORMAT_LINES } from '../../kernel/table.js'
import { jsonLine } from '../generate/lines.js'
import { levelAt, MISSION_MIX } from '../generate/mix.js'
import { seededRandom } from '../generate/random.js'
import type { Bench, Case, Measurement } from '../harness/bench.js'

interface Corpus {
  readonly name: string
  readonly format: number
  readonly bytes: Buffer
  readonly records: number
  /** For JSON.parse: the records without what the container runtime puts before them. */
  readonly texts: readonly string[]
}

const SLAB_BYTES = 512 * 1024
/** As `ingest` scans: a slab of 512 KiB, 2,048 records at once. */
const RECORDS_MAX = 2048
const FRAME_BYTES = 8 * 1024 * 1024
const MEMORY_BYTES = 64 * 1024 * 1024
const ALL_TRUST = 255
const STAMP = '2026-01-02T03:04:05.678901234Z'

export const kernelBench: Bench = {
  name: 'kernel',
  summary: 'the scanner: splits, validates JSON and UTF-8, finds the fields',
  metrics: [
    { key: 'gigabytesPerSecond', label: 'speed', unit: 'GB per CPU second', better: 'higher', digits: 2 },
    { key: 'nanosPerRecord', label: 'a record', unit: 'ns', better: 'lower' },
  ],
  ratios: ['gigabytesPerSecond'],
  rounds: { default: 7, quick: 3, warmUp: 2 },
  options: {
    megabytes: { value: 'n', default: '32', quick: '8', text: 'size of each corpus' },
  },
  async open(options) {
    const bytes = options.number('megabytes', 1) * 1e6
    const scanner = createScanner(createKernel({ memoryBytes: MEMORY_BYTES }), {
      inputBytes: SLAB_BYTES,
      recordsMax: RECORDS_MAX,
      contexts: 1,
      frameBytes: FRAME_BYTES,
      frameRecordsMax: RECORDS_MAX,
      seed: 1n,
    })
    const corpora = [
      jsonCorpus('JSON in CRI lines', FORMAT_CRI, `${STAMP} stdout F `, bytes),
      jsonCorpus('JSON lines', FORMAT_LINES, '', bytes),
      textCorpus(bytes),
    ]
    return {
      cases: corpora.flatMap((corpus) => casesOf(corpus, scanner)),
      bars: [
        {
          what: 'scanner, validating JSON and UTF-8',
          case: 'JSON in CRI lines',
          metric: 'gigabytesPerSecond',
          least: 1,
        },
      ],
      notes: corpora.map(
        ({ name, bytes: all, records }) => `${name}: ${Math.round(all.length / records)} bytes each`,
      ),
    }
  },
}

function casesOf(corpus: Corpus, scanner: Scanner): Case[] {
  const { name } = corpus
  const scan: Case = {
    name,
    role: 'measured',
    measure: async () => timed(corpus, () => scanAll(scanner, corpus)),
  }
  if (corpus.texts[0]?.startsWith('{') !== true) return [scan]
  const reference = `JSON.parse, ${name}`
  return [
    { name: reference, role: 'reference', measure: async () => timed(corpus, () => parseAll(corpus)) },
    { ...scan, against: reference },
  ]
}

/** In CPU seconds of the whole process. */
function timed({ bytes, records }: Corpus, run: () => number): Measurement {
  const before = process.cpuUsage()
  const seen = run()
  const { user, system } = process.cpuUsage(before)
  if (seen !== records) throw new Error(`${seen} of ${records} records`)
  const seconds = (user + system) / 1e6
  return { gigabytesPerSecond: bytes.length / seconds / 1e9, nanosPerRecord: (seconds * 1e9) / records }
}

function jsonCorpus(name: string, format: number, prefix: string, bytes: number): Corpus {
  const random = seededRandom(1)
  return corpusOf(name, format, prefix, bytes, (seq) =>
    jsonLine({ service: 'payment-api', seq, stamp: STAMP, random }, levelAt(MISSION_MIX, random())),
  )
}

function textCorpus(bytes: number): Corpus {
  return corpusOf(
    'text in CRI lines',
    FORMAT_CRI,
    `${STAMP} stderr F `,
    bytes,
    (seq) =>
      `INFO payment-api handled request ${seq} of a customer in ${seq % 977} ms: ${'all is well '.repeat(24)}`,
  )
}

function corpusOf(
  name: string,
  format: number,
  prefix: string,
  most: number,
  make: (seq: number) => string,
): Corpus {
  const texts: string[] = []
  const lines: string[] = []
  for (let bytes = 0; bytes < most; bytes += (lines.at(-1) ?? '').length) {
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
