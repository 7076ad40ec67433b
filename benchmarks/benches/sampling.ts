// What sampling costs a record on the mission's mix, next to the scanner alone: tiers, live rates, rules over windows and statuses.
import { createLiveRates } from '../../actors/sample/live-rates.js'
import { createStreams } from '../../actors/sample/streams.js'
import { traffic } from '../../actors/traffic/traffic.js'
import { createKernel } from '../../kernel/kernel.js'
import { createScanner, type Scanner } from '../../kernel/scanner.js'
import { windowsBytes, SERVICE_SLOTS } from '../../kernel/scanner-fields.js'
import { FORMAT_CRI } from '../../kernel/table.js'
import { sampling } from '../../protocol/config/sampling.js'
import type { MessageOf } from '../../protocol/messages.js'
import type { ActorContext } from '../../runtime/actor.js'
import { systemClock } from '../../runtime/clock.js'
import { createLiveMemory, openLiveSettings } from '../../runtime/live-settings.js'
import { createLogger } from '../../runtime/log.js'
import { createMetrics } from '../../runtime/metrics.js'
import { createArena, openSlots } from '../../runtime/slots.js'
import { generateLine } from '../generate/lines.js'
import { seededRandom } from '../generate/random.js'
import type { Bench, Case } from '../harness/bench.js'

const SLAB_BYTES = 512 * 1024
/** As `ingest` scans: a slab of 512 KiB, 2,048 records at once. */
const RECORDS_MAX = 2048
const FRAME_BYTES = 2 * 1024 * 1024
const MEMORY_BYTES = 32 * 1024 * 1024 + windowsBytes(SERVICE_SLOTS)
const ALL_TRUST = 255
const STAMP = '2026-01-02T03:04:05.678901234Z'
const SERVICES = 10

/** Sections as a user writes them; without `section` nothing is judged. */
const STEPS: readonly { readonly name: string; readonly section?: object }[] = [
  { name: 'scan alone' },
  {
    name: 'scan, judge by fixed tiers, no fields',
    section: { tiers: { info: 0.1 }, fields: { status: [], latency: {} } },
  },
  { name: 'the default: live info', section: {} },
  {
    name: '… and a rule over windows: status and latency of each service',
    section: { rules: [{ when: 'error_rate > 0.05 AND p99_latency > 200ms', for: '30s' }] },
  },
  {
    name: '… and the rule with status codes too',
    section: {
      rules: [
        { when: 'error_rate > 0.05 AND p99_latency > 900ms OR status_code IN [500, 502, 504]', for: '30s' },
      ],
    },
  },
]

interface Variant {
  readonly name: string
  run(): void
  /** One second's step: counts to the traffic, decisions back. */
  step(): void
}

interface Corpus {
  readonly bytes: Buffer
  readonly records: number
}

export const samplingBench: Bench = {
  name: 'sampling',
  summary: "what sampling costs a record of the mission's mix, next to the scanner alone",
  metrics: [
    { key: 'nanosPerRecord', label: 'a record', unit: 'CPU ns', better: 'lower' },
    { key: 'stepMicros', label: 'the step of each second', unit: 'µs', better: 'lower' },
  ],
  ratios: ['nanosPerRecord'],
  rounds: { default: 9, quick: 3, warmUp: 1 },
  options: { megabytes: { value: 'n', default: '16', quick: '4', text: 'size of the corpus' } },
  async open(options) {
    const corpus = makeCorpus(options.number('megabytes', 1) * 1024 * 1024)
    const variants = STEPS.map(({ name, section }) => createVariant(corpus, name, section))
    const [reference] = variants
    return {
      cases: variants.map(
        (variant): Case => ({
          name: variant.name,
          role: variant === reference ? 'reference' : 'measured',
          ...(variant === reference || reference === undefined ? {} : { against: reference.name }),
          async measure() {
            const nanosPerRecord = cpuNs(variant.run) / corpus.records
            if (variant === reference) return { nanosPerRecord }
            return { nanosPerRecord, stepMicros: cpuNs(variant.step) / 1000 }
          },
        }),
      ),
      notes: [
        `${corpus.records} records of ${Math.round(corpus.bytes.length / corpus.records)} bytes, ${SERVICES} services`,
      ],
    }
  },
}

/** The mix of the pipeline's corpus: 60 % INFO, 20 % DEBUG, 10 % TRACE, 7 % WARN, 2.5 % ERROR, 0.5 % FATAL; 2 % answer 500; of ten services. */
function makeCorpus(most: number): Corpus {
  const random = seededRandom(1)
  const lines: string[] = []
  for (let bytes = 0; bytes < most; bytes += (lines.at(-1) ?? '').length) {
    const options = {
      service: `service-${lines.length % SERVICES}`,
      seq: lines.length,
      stamp: STAMP,
      zoo: false,
      random,
    }
    lines.push(`${STAMP} stdout F ${generateLine(options).content.toString()}\n`)
  }
  return { bytes: Buffer.from(lines.join('')), records: lines.length }
}

function createVariant(corpus: Corpus, name: string, section: object | undefined): Variant {
  const scanner = createScanner(createKernel({ memoryBytes: MEMORY_BYTES }), {
    inputBytes: SLAB_BYTES,
    recordsMax: RECORDS_MAX,
    contexts: 1,
    frameBytes: FRAME_BYTES,
    frameRecordsMax: RECORDS_MAX,
    seed: 1n,
  })
  if (section === undefined)
    return { name, run: () => scanAll(corpus, scanner, () => undefined), step: () => undefined }
  const context = {
    id: 1,
    trust: 0,
    service_name: 'none',
    log_type: 'app',
    log_level: 0,
    pod_uid: 'u',
    namespace: 'shop',
    cluster_id: 'c',
  } as const
  const { ptr } = scanner.contexts.render(context)
  const base = actorContext(section)
  const streams = createStreams(base, scanner, () => undefined)
  const live = createLiveRates(base, scanner, streams)
  const follow = traffic(base, { control: false })
  return {
    name,
    run: () =>
      scanAll(corpus, scanner, (count) => {
        live.beforeBatch()
        scanner.judge(0, count, ptr, 0, streams.meet)
      }),
    step() {
      const message: MessageOf<'traffic'> = {
        type: 'traffic',
        elapsedMs: 1000,
        services: streams.take(),
      }
      follow.on.traffic?.(message, 'sample')
      live.betweenBatches()
    },
  }
}

function actorContext(section: object): ActorContext {
  return {
    name: 'sample',
    node: { id: 'bench', clusterId: 'bench', dataDir: '' },
    send: () => undefined,
    fail(error) {
      throw error
    },
    clock: systemClock,
    random: () => 0.5,
    log: createLogger('silent'),
    metrics: createMetrics(),
    slots: openSlots(createArena({ count: 1, rawBytesMax: 8, encodedBytesMax: 8 })),
    live: openLiveSettings(createLiveMemory(JSON.stringify(sampling.parse(section)))),
    epoch: 1,
    once: false,
    local: (_key, make) => make(),
  }
}

/** The whole corpus once, slab by slab as a source reads it. */
function scanAll({ bytes }: Corpus, into: Scanner, onRecords: (count: number) => void): void {
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + SLAB_BYTES)
    const cut = end === bytes.length ? end : bytes.lastIndexOf(0x0a, end - 1) + 1
    into.input.set(bytes.subarray(at, cut))
    const to = into.inputPtr + (cut - at)
    for (let from = into.inputPtr; from < to; from = into.resume())
      onRecords(into.scanLines(from, to, FORMAT_CRI, ALL_TRUST))
    at = cut
  }
}

function cpuNs(run: () => void): number {
  const before = process.cpuUsage()
  run()
  const { user, system } = process.cpuUsage(before)
  return (user + system) * 1000
}
