// Traffic of a synthetic cluster: pods that write at a rate, with a mix of levels, sizes, pieces, rotations and error bursts.
import { type Block, type BlockOptions, makeBlock, recordBytesMax, SEQ_FROM } from './block.js'
import { MillraceError, systemCode } from '../../protocol/errors.js'
import { BURST_MIX, type LevelName, MISSION_MIX, type Mix } from './mix.js'
import { openPodLog, type PodLog } from './pod-log.js'
import { seededRandom } from './random.js'
import { createRunningStamp } from './running-stamp.js'
import { serviceName } from './services.js'

export interface TrafficOptions {
  readonly root: string
  readonly pods: number
  readonly seed: number
  /** Default: as many as pods, at most 10. With more services than pods a pod's records come from several in turn. */
  readonly services?: number | undefined
  readonly namespace?: string | undefined
  readonly mix?: Mix | undefined
  readonly sizes?: BlockOptions['sizes']
  readonly partials?: number | undefined
  readonly texts?: number | undefined
  /** 0 never. */
  readonly rotateBytes?: number | undefined
  /** Rotated files of a pod beyond so many are deleted. */
  readonly keepRotated?: number | undefined
  /** Zipf's exponent: 0 all pods write the same, 1 the second half of what the first does, the third a third. */
  readonly skew?: number | undefined
}

export interface Traffic {
  /** Makes what the first records of each service would wait for: a second for ten services, more for thousands. */
  prepare(): void
  /**
   * Writes `records` with times spread over [fromMs, toMs), ms since the epoch. While `burst` is set every fourth service has the mix
   * of an outage.
   */
  write(records: number, fromMs: number, toMs: number, burst?: boolean): void
  written(): number
  bytes(): number
  /** Records by level. */
  levels(): Readonly<Partial<Record<LevelName, number>>>
  close(): void
}

interface Pod {
  readonly log: PodLog
  /** Whose records it writes, a block of each in turn. */
  readonly services: readonly number[]
  readonly share: number
  turn: number
  next: number
}

/** Each has a file open: the system's bound is usually met before. */
export const PODS_MAX = 100_000
/** Each has a block of records in memory. */
export const SERVICES_MAX = 10_000
/** What ten digits number. */
export const RECORDS_MAX = 10 * SEQ_FROM - SEQ_FROM

const BLOCKS_BYTES_MAX = 64 * 1024 * 1024
/** Records that are large, of services that are many: what the shortest blocks of all would take. */
const MEMORY_BYTES_MAX = 1024 * 1024 * 1024
const BLOCK_RECORDS_MAX = 1024
const BLOCK_RECORDS_MIN = 4
const BLOCK_BYTES_MAX = 1024 * 1024
const BURST_EVERY = 4
const SERVICES_DEFAULT_MAX = 10

export function createTraffic(options: TrafficOptions): Traffic {
  const random = seededRandom(options.seed)
  const services = options.services ?? Math.min(options.pods, SERVICES_DEFAULT_MAX)
  const shape = { partials: options.partials ?? 0, texts: options.texts ?? 0, sizes: options.sizes, random }
  const records = blockRecords(services, recordBytesTypical(shape))
  demandMemory(services, services * records * recordBytesMean(shape))
  const blocks = new Map<number, Block>()
  const counts: Partial<Record<LevelName, number>> = {}
  const stamp = createRunningStamp()
  const pods = openPods(options, services)
  let seq = SEQ_FROM
  let bytes = 0

  /** Made when a service first writes: ten thousand of them take a while. */
  function blockOf(service: number, burst: boolean): Block {
    const isBurst = burst && service % BURST_EVERY === 0
    const key = isBurst ? -1 - service : service
    let block = blocks.get(key)
    if (block === undefined) {
      const mix = isBurst ? BURST_MIX : (options.mix ?? MISSION_MIX)
      block = makeBlock({ ...shape, service: serviceName(service), records, mix })
      blocks.set(key, block)
    }
    return block
  }

  function writePod(pod: Pod, count: number, fromMs: number, toMs: number, burst: boolean): void {
    const stepMs = (toMs - fromMs) / count
    for (let written = 0; written < count; ) {
      const block = blockOf(pod.services[pod.turn % pod.services.length] as number, burst)
      const first = Math.min(pod.next, block.records - 1)
      const last = Math.min(block.records, first + count - written)
      writeRecords(pod.log, block, first, last, fromMs + written * stepMs, stepMs)
      written += last - first
      pod.next = last % block.records
      if (pod.next === 0) pod.turn++
    }
  }

  function writeRecords(
    log: PodLog,
    block: Block,
    first: number,
    last: number,
    fromMs: number,
    stepMs: number,
  ): void {
    for (let n = first; n < last; n++) {
      const ms = fromMs + (n - first) * stepMs
      const seconds = Math.floor(ms / 1000)
      stamp.set(seconds, Math.floor((ms - seconds * 1000) * 1e6))
      block.patch(n, stamp, seq++)
      const level = block.level(n)
      counts[level] = (counts[level] ?? 0) + 1
    }
    const from = first === 0 ? 0 : block.end(first - 1)
    const to = block.end(last - 1)
    log.append(block.bytes.subarray(from, to))
    bytes += to - from
  }

  return {
    prepare() {
      for (let service = 0; service < services; service++) blockOf(service, false)
    },
    write(count, fromMs, toMs, burst = false) {
      // Systematic sampling with a random start: every pod gets its share in the long run, and the sum is exact in each call.
      let due = random()
      let given = 0
      for (const [n, pod] of pods.entries()) {
        due += count * pod.share
        const until = n === pods.length - 1 ? count : Math.min(count, Math.floor(due))
        if (until > given) writePod(pod, until - given, fromMs, toMs, burst)
        given = Math.max(given, until)
      }
    },
    written: () => seq - SEQ_FROM,
    bytes: () => bytes,
    levels: () => counts,
    close() {
      for (const { log } of pods) log.close()
    },
  }
}

function openPods(options: TrafficOptions, services: number): Pod[] {
  if (options.pods > PODS_MAX)
    throw new MillraceError('usage.bench', `${options.pods} pods are too many: at most ${PODS_MAX}`)
  const weights = Array.from({ length: options.pods }, (_, n) => 1 / (n + 1) ** (options.skew ?? 0))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight, number) => {
    const own: number[] = []
    for (let service = number; service < services; service += options.pods) own.push(service)
    if (own.length === 0) own.push(number % services)
    const log = openLog(options, serviceName(own[0] as number), number)
    return { log, services: own, share: weight / total, turn: 0, next: 0 }
  })
}

function openLog(options: TrafficOptions, service: string, number: number): PodLog {
  try {
    return openPodLog({
      root: options.root,
      namespace: options.namespace ?? 'shop',
      service,
      number,
      rotateBytes: options.rotateBytes ?? 0,
      keepRotated: options.keepRotated,
    })
  } catch (cause) {
    const code = systemCode(cause)
    if (code !== 'EMFILE' && code !== 'ENFILE') throw cause
    const text = `${options.pods} pods are too many: after ${number} files the system opens no more (${code}); take fewer, or raise \`ulimit -n\``
    throw new MillraceError('usage.bench', text, { cause })
  }
}

function recordBytesTypical({ sizes }: Pick<BlockOptions, 'sizes'>): number {
  return sizes === undefined ? 410 : recordBytesMax({ sizes, partials: 0 })
}

/** At most; pieces are few of the records, but large. */
function recordBytesMean(shape: Pick<BlockOptions, 'sizes' | 'partials'>): number {
  return recordBytesTypical(shape) + shape.partials * recordBytesMax(shape)
}

function demandMemory(services: number, bytes: number): void {
  if (bytes <= MEMORY_BYTES_MAX) return
  const text = `records of ${services} services would take ${Math.round(bytes / 1e6)} MB of memory; take fewer services, or shorter records`
  throw new MillraceError('usage.bench', text)
}

/** Few services have long blocks, many have short ones: all together stay within their bound. */
function blockRecords(services: number, recordBytes: number): number {
  const bytes = Math.min(BLOCK_BYTES_MAX, BLOCKS_BYTES_MAX / services)
  return Math.max(BLOCK_RECORDS_MIN, Math.min(BLOCK_RECORDS_MAX, Math.floor(bytes / recordBytes)))
}
