// A corpus on disk with everything in it that breaks log pipelines, written record by record, and what must come of it: for tests.
import { criLines } from './cri.js'
import { generateLine, hugeLine } from './lines.js'
import { openPodLog, type PodLog } from './pod-log.js'
import { seededRandom } from './random.js'
import { serviceName } from './services.js'
import { stampText } from './stamp.js'

export interface CorpusOptions {
  readonly root: string
  readonly records: number
  readonly pods: number
  readonly seed: number
  /** Time of the first record, ms since the epoch; each next one is `stepNs` later. */
  readonly startMs: number
  readonly stepNs?: number
  /** Number of the first record; 0 where one corpus is all there is. */
  readonly firstSeq?: number
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

interface Pod {
  readonly service: string
  readonly log: PodLog
  pending: Buffer[]
  pendingBytes: number
}

const WRITE_BYTES = 256 * 1024
const HUGE_BYTES = 1_000_000

export function createCorpus(options: CorpusOptions): Corpus {
  const random = seededRandom(options.seed)
  const pods = Array.from({ length: options.pods }, (_, n) => createPod(options, n))
  const expected = new Map<string, number>()
  const stepNs = BigInt(options.stepNs ?? 20_000)
  const hugeEvery = options.hugeLines ? Math.floor(options.records / options.hugeLines) : 0
  let timeNs = BigInt(options.startMs) * 1_000_000n
  const firstSeq = options.firstSeq ?? 0
  let seq = firstSeq
  let bytes = 0
  function writeOne(): void {
    const pod = pods[Math.floor(random() * pods.length)] as Pod
    const stamp = stampText(timeNs)
    const line = { service: pod.service, seq, stamp, zoo: options.zoo ?? false, random }
    const huge = hugeEvery > 0 && seq % hugeEvery === hugeEvery - 1
    const made = huge ? hugeLine(line, HUGE_BYTES) : generateLine(line)
    const cri = criLines(made, stamp)
    pod.pending.push(cri)
    pod.pendingBytes += cri.length
    bytes += cri.length
    if (pod.pendingBytes >= WRITE_BYTES) flush(pod)
    const key = `${pod.service}|${made.level}`
    expected.set(key, (expected.get(key) ?? 0) + 1)
    seq++
    timeNs += stepNs
  }
  return {
    write(records) {
      const until = Math.min(firstSeq + options.records, seq + records)
      const from = seq
      while (seq < until) writeOne()
      for (const pod of pods) flush(pod)
      return seq - from
    },
    written: () => seq - firstSeq,
    expected,
    bytes: () => bytes,
    rotate() {
      for (const { log } of pods) log.rotate()
    },
    close() {
      for (const { log } of pods) log.close()
    },
  }
}

function createPod(options: CorpusOptions, number: number): Pod {
  const service = serviceName(number % 10)
  const log = openPodLog({
    root: options.root,
    namespace: options.namespace ?? 'shop',
    service,
    number,
    rotateBytes: options.rotateBytes ?? 0,
    gzipRotated: options.gzipRotated ?? false,
  })
  return { service, log, pending: [], pendingBytes: 0 }
}

function flush(pod: Pod): void {
  if (pod.pendingBytes === 0) return
  pod.log.append(Buffer.concat(pod.pending))
  pod.pending = []
  pod.pendingBytes = 0
}
