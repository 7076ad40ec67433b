// A corpus on disk: pods under a Kubernetes log root, written record by record with partials and rotations, and what must come of it.
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type GeneratedLine, generateLine, hugeLine } from './lines.js'
import { seededRandom } from './random.js'

export interface CorpusOptions {
  readonly root: string
  readonly records: number
  readonly pods: number
  readonly seed: number
  /** Time of the first record, ms since the epoch; each next one is `stepNs` later. */
  readonly startMs: number
  readonly stepNs?: number
  readonly namespace?: string
  readonly zoo?: boolean
  /** Lines of 1 MB, spread over the corpus. */
  readonly hugeLines?: number
  /** A log file is rotated when it has grown to this; 0 never. */
  readonly rotateBytes?: number
  /** Rotated files but the newest are gzip'd, as the kubelet does. */
  readonly gzipRotated?: boolean
}

export interface Corpus {
  /** Writes up to `records` more; returns how many. */
  write(records: number): number
  readonly written: () => number
  /** `service|LEVEL` → records. */
  readonly expected: ReadonlyMap<string, number>
  bytes(): number
  /** Rotates every log that has grown since it was made, as the kubelet would at its limit. */
  rotate(): void
  close(): void
}

interface PodLog {
  readonly service: string
  readonly folder: string
  fd: number
  bytes: number
  pending: Buffer[]
  pendingBytes: number
  rotations: number
  previous: string | undefined
}

const SERVICES = [
  'payment-api',
  'cart',
  'checkout',
  'search',
  'health-checker',
  'inventory',
  'auth',
  'shipping',
  'billing',
  'gateway',
]
const PIECE_BYTES = 16 * 1024
const WRITE_BYTES = 256 * 1024
const HUGE_BYTES = 1_000_000

export function createCorpus(options: CorpusOptions): Corpus {
  const random = seededRandom(options.seed)
  const pods = Array.from({ length: options.pods }, (_, n) => createPod(options, n))
  const expected = new Map<string, number>()
  const stepNs = BigInt(options.stepNs ?? 20_000)
  const hugeEvery = options.hugeLines ? Math.floor(options.records / options.hugeLines) : 0
  let timeNs = BigInt(options.startMs) * 1_000_000n
  let seq = 0
  let bytes = 0
  function writeOne(): void {
    const pod = pods[Math.floor(random() * pods.length)] as PodLog
    const stamp = stampOf(timeNs)
    const line = { service: pod.service, seq, stamp, zoo: options.zoo ?? false, random }
    const huge = hugeEvery > 0 && seq % hugeEvery === hugeEvery - 1
    const made = huge ? hugeLine(line, HUGE_BYTES) : generateLine(line)
    const cri = criLines(made, stamp)
    pod.pending.push(cri)
    pod.pendingBytes += cri.length
    bytes += cri.length
    if (pod.pendingBytes >= WRITE_BYTES) flush(pod, options)
    const key = `${pod.service}|${made.level}`
    expected.set(key, (expected.get(key) ?? 0) + 1)
    seq++
    timeNs += stepNs
  }
  return {
    write(records) {
      const until = Math.min(options.records, seq + records)
      const from = seq
      while (seq < until) writeOne()
      for (const pod of pods) flush(pod, options)
      return seq - from
    },
    written: () => seq,
    expected,
    bytes: () => bytes,
    rotate() {
      for (const pod of pods) if (pod.bytes > 0) rotate(pod, options)
    },
    close() {
      for (const pod of pods) closeSync(pod.fd)
    },
  }
}

function createPod(options: CorpusOptions, n: number): PodLog {
  const service = SERVICES[n % SERVICES.length] as string
  const suffix = `${'bcdfghjklm'[n % 10]}${'npqrstvwxz'[Math.floor(n / 10) % 10]}${'2456789bcd'[Math.floor(n / 100) % 10]}`
  const uid = `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`
  const pod = `${options.namespace ?? 'shop'}_${service}-5d9f8b6c5d-${suffix}xz_${uid}`
  const folder = join(options.root, pod, 'main')
  mkdirSync(folder, { recursive: true })
  const fd = openSync(join(folder, '0.log'), 'a')
  return { service, folder, fd, bytes: 0, pending: [], pendingBytes: 0, rotations: 0, previous: undefined }
}

/** One record as the runtime writes it: lines over 16 KiB in pieces. */
function criLines({ content, stderr }: GeneratedLine, stamp: string): Buffer {
  const stream = stderr ? 'stderr' : 'stdout'
  const parts: Buffer[] = []
  for (let at = 0; at === 0 || at < content.length; at += PIECE_BYTES) {
    const last = at + PIECE_BYTES >= content.length
    parts.push(
      Buffer.from(`${stamp} ${stream} ${last ? 'F' : 'P'} `),
      content.subarray(at, at + PIECE_BYTES),
      Buffer.from('\n'),
    )
  }
  return Buffer.concat(parts)
}

function flush(pod: PodLog, options: CorpusOptions): void {
  if (pod.pendingBytes === 0) return
  // A write ends anywhere, as a runtime's does: the reader meets half lines, and a rotation can fall into a partial.
  const all = Buffer.concat(pod.pending)
  for (let at = 0; at < all.length; ) {
    const room = options.rotateBytes ? Math.max(1, options.rotateBytes - pod.bytes) : all.length
    const cut = at + room >= all.length ? all.length : all.indexOf(10, at + room - 1) + 1 || all.length
    pod.bytes += writeSync(pod.fd, all, at, cut - at)
    at = cut
    if (options.rotateBytes && pod.bytes >= options.rotateBytes) rotate(pod, options)
  }
  pod.pending = []
  pod.pendingBytes = 0
}

function rotate(pod: PodLog, options: CorpusOptions): void {
  const live = join(pod.folder, '0.log')
  const at = new Date(Date.UTC(2026, 0, 1) + pod.rotations++ * 1000).toISOString()
  const rotated = `${live}.${at.replace(/[-:]/g, '').replace('T', '-').slice(0, 15)}`
  closeSync(pod.fd)
  renameSync(live, rotated)
  if (options.gzipRotated && pod.previous !== undefined) {
    writeFileSync(`${pod.previous}.tmp`, gzipSync(readFileSync(pod.previous), { level: 1 }))
    renameSync(`${pod.previous}.tmp`, `${pod.previous}.gz`)
    rmSync(pod.previous)
  }
  pod.previous = rotated
  pod.fd = openSync(live, 'a')
  pod.bytes = 0
}

function stampOf(timeNs: bigint): string {
  const seconds = new Date(Number(timeNs / 1_000_000n)).toISOString().slice(0, 19)
  return `${seconds}.${String(timeNs % 1_000_000_000n).padStart(9, '0')}Z`
}
