// parse, enrich and sample wired together in this thread over a journal that only collects frames.
import { enrich } from '../../actors/enrich.js'
import { frameRawBytes, ingestMemory, slabMemory } from '../../actors/ingest-memory.js'
import { parse } from '../../actors/parse/parse.js'
import { sample } from '../../actors/sample/sample.js'
import { type RecordsOptions, records as recordsSchema } from '../../protocol/config/node.js'
import { traffic } from '../../actors/traffic/traffic.js'
import { sampling } from '../../protocol/config/sampling.js'
import type { FrameHeader } from '../../protocol/frame.js'
import { indexOffset } from '../../protocol/frame.js'
import type { Message, MessageOf, Origin } from '../../protocol/messages.js'
import type { Carry } from '../../protocol/positions.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import type { Clock } from '../../runtime/clock.js'
import { createLiveMemory, type LiveSettingsMemory, openLiveSettings } from '../../runtime/live-settings.js'
import { createLogger } from '../../runtime/log.js'
import { createMetrics, type MetricName } from '../../runtime/metrics.js'
import { createArena, openSlots, type Slots } from '../../runtime/slots.js'

export interface CollectedFrame {
  readonly header: FrameHeader
  readonly lines: string[]
  /** Index entries: timestamp in ns and stream number. */
  readonly index: { tsNs: bigint; stream: number; weight: number }[]
}

export interface Chain {
  readonly frames: CollectedFrame[]
  readonly slots: Slots
  readonly toSources: Message[]
  /** The last that the traffic told of itself. */
  status(): MessageOf<'sampling_status'> | undefined
  readonly toCapture: Message[]
  readonly live: ReturnType<typeof openLiveSettings>
  /** For a chain after a restart, or another thread. */
  readonly memory: LiveSettingsMemory
  send(to: 'parse' | 'traffic', message: Message): void
  /** New settings, as a reload publishes them. */
  publish(section: unknown): void
  /** The wall clock of the chain. */
  nowMs(): number
  /** A metric's values by its labels. */
  counts(name: MetricName): Promise<Record<string, number>>
  /** Puts text into the slab as a source would and sends it, a slab at a time. */
  feed(
    origin: number,
    content: Uint8Array,
    options?: { offset?: number; last?: boolean; token?: number },
  ): void
  /** Lets timers fire that are due after this time. */
  advance(ms: number): void
  end(): void
  lines(): string[]
}

export interface ChainOptions {
  readonly records?: Partial<RecordsOptions>
  readonly sampling?: unknown
  /** Of a chain before this one: its settings and decisions go on. */
  readonly live?: LiveSettingsMemory
  readonly canonicalBytesMax?: number
  readonly panicAgeMaxMs?: number
  /** The journal is full: it takes frames, and gives no slot back. */
  readonly isFull?: boolean
}

interface Counted {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const EVERYTHING = { tiers: { fatal: 1, error: 1, warn: 1, info: 1, debug: 1, trace: 1 } }

export function createChain(options: ChainOptions = {}): Chain {
  const records = { ...recordsSchema.parse(undefined), ...options.records }
  const raw = frameRawBytes(records)
  const slots = openSlots(createArena({ count: 8, rawBytesMax: raw, encodedBytesMax: raw + 1_000_000 }))
  const memory =
    options.live ?? createLiveMemory(JSON.stringify(sampling.parse(options.sampling ?? EVERYTHING)))
  const live = openLiveSettings(memory)
  const shared = new Map<string, unknown>()
  const timers = new Set<{ readonly everyMs: number; dueMs: number; readonly run: () => void }>()
  let nowMs = 1_000_000
  const clock: Clock = {
    now: () => 1_767_000_000_000 + nowMs,
    monotonic: () => nowMs,
    after: (delayMs, run) => addTimer(0, delayMs, run),
    every: (everyMs, run) => addTimer(everyMs, everyMs, run),
  }
  function addTimer(everyMs: number, delayMs: number, run: () => void): () => void {
    const timer = { everyMs, dueMs: nowMs + delayMs, run }
    timers.add(timer)
    return () => void timers.delete(timer)
  }
  const frames: CollectedFrame[] = []
  const toSources: Message[] = []
  let status: MessageOf<'sampling_status'> | undefined
  const toCapture: Message[] = []
  const actors = new Map<string, Actor>()
  const base: Omit<ActorContext, 'name'> = {
    node: { id: 'node-1', clusterId: 'test', dataDir: '' },
    send: route,
    fail: (error) => {
      throw error
    },
    clock,
    random: () => 0.5,
    log: createLogger('silent'),
    metrics: createMetrics(),
    slots,
    live,
    epoch: 1,
    once: false,
    local<T>(key: string, make: () => T): T {
      if (!shared.has(key)) shared.set(key, make())
      return shared.get(key) as T
    },
  }
  function route(to: string, message: Message): void {
    if (to.startsWith('source.')) toSources.push(message)
    else if (to === 'capture') toCapture.push(message)
    else if (to === 'journal') append(message)
    else if (message.type === 'sampling_status') status = message
    else {
      const handler = actors.get(to)?.on[message.type] as
        | ((message: Message, from: string) => void)
        | undefined
      if (handler === undefined) throw new Error(`${to} has no handler for ${message.type}`)
      handler(message, 'test')
    }
  }
  function append(message: Message): void {
    if (message.type !== 'append') return
    const { codec } = ingestMemory({ ...base, name: 'journal' }, records)
    const { header, raw: body } = codec.open(slots.encoded(message.slot).slice(0, message.encodedBytes))
    frames.push(collect(header, body.slice()))
    if (options.isFull === true) return
    slots.release(message.slot)
    queueMicrotask(() => route('sample', { type: 'committed', frames: 1, epoch: 1 }))
  }
  const canonicalBytesMax = options.canonicalBytesMax ?? 262_144
  const { panicAgeMaxMs } = options
  const panics = panicAgeMaxMs === undefined ? {} : { panicAgeMaxMs }
  actors.set(
    'parse',
    parse({ ...base, name: 'parse' }, { records, sources: 1, canonicalBytesMax, ...panics }),
  )
  actors.set('enrich', enrich({ ...base, name: 'enrich' }, { records }))
  actors.set('sample', sample({ ...base, name: 'sample' }, { records, sources: ['source.test'] }))
  actors.set('traffic', traffic({ ...base, name: 'traffic' }, { control: false }))
  for (const actor of actors.values()) void actor.start?.()
  const slab = slabMemory({ ...base, name: 'source.test' }, records)
  return {
    frames,
    slots,
    toSources,
    status: () => status,
    toCapture,
    live,
    memory,
    send: route,
    publish: (section) => void live.publish(JSON.stringify(sampling.parse(section))),
    nowMs: clock.now,
    async counts(name) {
      const all = (await base.metrics.snapshot()) as { name: string; values: Counted[] }[]
      const values = all.find((each) => each.name === `log_pipeline_${name}`)?.values ?? []
      return Object.fromEntries(values.map(({ labels, value }) => [Object.values(labels).join(), value]))
    },
    feed(origin, content, { offset = 0, last = false, token } = {}) {
      for (let at = 0; at < content.length; ) {
        let end = Math.min(content.length, at + slab.length)
        if (end < content.length)
          end = Buffer.from(content.buffer, content.byteOffset, content.length).lastIndexOf(10, end - 1) + 1
        slab.set(content.subarray(at, end))
        const isLast = end === content.length
        route('parse', {
          type: 'slab',
          origin,
          bytes: slab.subarray(0, end - at),
          offset: offset + at,
          endOffset: offset + end,
          ...(last && isLast ? { last: true } : {}),
          ...(token !== undefined && isLast ? { token } : {}),
        })
        at = end
      }
    },
    advance(ms) {
      nowMs += ms
      for (const timer of timers) {
        if (timer.dueMs > nowMs) continue
        if (timer.everyMs === 0) timers.delete(timer)
        timer.dueMs = nowMs + timer.everyMs
        timer.run()
      }
    },
    end: () => route('parse', { type: 'end_of_input' }),
    lines: () => frames.flatMap((frame) => frame.lines),
  }
}

function collect(header: FrameHeader, body: Uint8Array): CollectedFrame {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const lines: string[] = []
  const index: CollectedFrame['index'] = []
  for (let n = 0; n < header.count; n++) {
    const at = indexOffset(header.ndjsonBytes) + n * 32
    const offset = view.getUint32(at + 8, true)
    lines.push(new TextDecoder().decode(body.subarray(offset, offset + view.getUint32(at + 12, true))))
    index.push({
      tsNs: view.getBigInt64(at, true),
      stream: view.getUint32(at + 16, true),
      weight: view.getFloat32(at + 20, true),
    })
  }
  return { header, lines, index }
}

/** A Kubernetes-like origin over a file. */
export function criOrigin(id: number, more: Partial<Origin> = {}): Origin {
  return {
    id,
    source: 'test',
    format: 'cri',
    content: 'auto',
    trusted: {
      namespace: 'shop',
      pod_uid: 'uid-1',
      pod_name: 'cart-1',
      container_name: 'main',
      node_name: 'node-1',
    },
    fallback: { service_name: 'cart', log_type: 'app' },
    joinKey: 'uid-1/main/0',
    file: {
      key: `key-${id}`,
      path: `/logs/${id}.log`,
      identity: { dev: 1, ino: id, headBytes: 0, headHash: '' },
    },
    ...more,
  }
}

export function openOrigin(chain: Chain, origin: Origin, carry?: readonly Carry[]): void {
  chain.send('parse', { type: 'origin', origin, ...(carry === undefined ? {} : { carry }) })
}
