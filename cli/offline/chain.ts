// parse, enrich, sample and traffic of a configuration in this thread, without a node: lines go in, verdicts and kept records come out.
import { enrich } from '../../actors/enrich.js'
import { frameRawBytes, ingestMemory, slabMemory } from '../../actors/ingest-memory.js'
import { parse } from '../../actors/parse/parse.js'
import { canonicalBytesMax } from '../../actors/plan.js'
import { cutLength } from '../../actors/sources/tail/reader.js'
import { sample, type SampleOptions } from '../../actors/sample/sample.js'
import { traffic } from '../../actors/traffic/traffic.js'
import type { Scanner } from '../../kernel/scanner.js'
import type { SamplingOptions } from '../../protocol/config/sampling.js'
import type { Config } from '../../protocol/config/schema.js'
import { type FrameHeader, INDEX_ENTRY_BYTES, indexOffset } from '../../protocol/frame.js'
import type { Message, Origin } from '../../protocol/messages.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { createLiveMemory, type LiveSettings, openLiveSettings } from '../../runtime/live-settings.js'
import { createLogger } from '../../runtime/log.js'
import { createMetrics } from '../../runtime/metrics.js'
import { createArena, openSlots } from '../../runtime/slots.js'
import type { EventClock } from './event-clock.js'

/** A kept record: its stream in the frame's header, and where it lies in the frame's body. */
export type EachKept = (
  header: FrameHeader,
  stream: number,
  body: Uint8Array,
  from: number,
  to: number,
) => void

export interface OfflineChainOptions {
  readonly config: Config
  /** In place of the configuration's. */
  readonly sampling?: SamplingOptions
  readonly clock: EventClock
  readonly judged?: SampleOptions['judged']
  readonly kept?: EachKept
}

export interface OfflineChain {
  readonly scanner: Scanner
  readonly live: LiveSettings
  open(origin: Origin): void
  /** Whole lines; only a `last` piece may end without a line break. Any number of bytes. */
  feed(origin: number, lines: Uint8Array, last?: boolean): void
  close(origin: number): void
  /** Everything that is open becomes records, and the last frame is sealed. */
  end(): void
}

const EPOCH = 1
const SOURCE = 'source.offline'
/** sample stops the sources below four free ones; each frame is taken as soon as it is sealed. */
const SLOTS = 6
const NEWLINE = 10

export function createOfflineChain(options: OfflineChainOptions): OfflineChain {
  const { config, clock } = options
  const { records } = config
  const rawBytes = frameRawBytes(records)
  const slots = openSlots(createArena({ count: SLOTS, rawBytesMax: rawBytes, encodedBytesMax: 2 * rawBytes }))
  const live = openLiveSettings(createLiveMemory(JSON.stringify(options.sampling ?? config.sampling)))
  const shared = new Map<string, unknown>()
  const actors = new Map<string, Actor>()
  const base: Omit<ActorContext, 'name'> = {
    node: { id: config.node.id, clusterId: config.node.cluster_id, dataDir: config.node.data_dir },
    send: route,
    fail(error) {
      throw error
    },
    clock,
    // The same lines give the same verdicts every time.
    random: () => 0.5,
    log: createLogger('silent'),
    metrics: createMetrics(),
    slots,
    live,
    epoch: EPOCH,
    once: true,
    local<T>(key: string, make: () => T): T {
      if (!shared.has(key)) shared.set(key, make())
      return shared.get(key) as T
    },
  }
  const { scanner, codec } = ingestMemory({ ...base, name: 'sample' }, records)

  function route(to: string, message: Message): void {
    if (to === 'journal') return append(message)
    const actor = actors.get(to)
    // What sources and the supervisor are told is of no use here.
    if (actor === undefined) return
    const handler = actor.on[message.type] as ((message: Message, from: string) => void) | undefined
    if (handler === undefined) throw new Error(`${to} has no handler for ${message.type}`)
    handler(message, SOURCE)
  }

  function append(message: Message): void {
    if (message.type !== 'append') return
    if (options.kept !== undefined) {
      const { header, raw } = codec.open(slots.encoded(message.slot).subarray(0, message.encodedBytes))
      eachKept(header, raw, options.kept)
    }
    slots.release(message.slot)
    route('sample', { type: 'committed', frames: 1, epoch: EPOCH })
  }

  const judged = options.judged === undefined ? {} : { judged: options.judged }
  const canonical = canonicalBytesMax(config)
  actors.set('traffic', traffic({ ...base, name: 'traffic' }, { control: false }))
  actors.set('sample', sample({ ...base, name: 'sample' }, { records, sources: [SOURCE], ...judged }))
  actors.set('enrich', enrich({ ...base, name: 'enrich' }, { records }))
  actors.set(
    'parse',
    parse({ ...base, name: 'parse' }, { records, sources: 1, canonicalBytesMax: canonical }),
  )
  for (const actor of actors.values()) void actor.start?.()
  const slab = slabMemory({ ...base, name: SOURCE }, records)
  const offsets = new Map<number, number>()

  function send(origin: number, bytes: Uint8Array, flags: { last?: boolean; cut?: boolean }): void {
    slab.set(bytes)
    const offset = offsets.get(origin) ?? 0
    const endOffset = offset + bytes.length
    offsets.set(origin, endOffset)
    route('parse', {
      type: 'slab',
      origin,
      bytes: slab.subarray(0, bytes.length),
      offset,
      endOffset,
      ...(flags.last === true ? { last: true } : {}),
      ...(flags.cut === true ? { cut: true } : {}),
    })
  }

  return {
    scanner,
    live,
    open: (origin) => route('parse', { type: 'origin', origin }),
    feed(origin, lines, last = false) {
      let at = 0
      while (lines.length - at > slab.length) {
        const found = lines.subarray(at, at + slab.length).lastIndexOf(NEWLINE)
        if (found >= 0) {
          send(origin, lines.subarray(at, at + found + 1), {})
          at += found + 1
          continue
        }
        // A line longer than the slab: its head is a record that is marked, as a source does it.
        const head = cutLength(lines.subarray(at), records.line_bytes_max)
        send(origin, lines.subarray(at, at + head), { cut: true })
        const next = lines.indexOf(NEWLINE, at)
        at = next < 0 ? lines.length : next + 1
      }
      if (at < lines.length || last) send(origin, lines.subarray(at), { last })
    },
    close(origin) {
      offsets.delete(origin)
      route('parse', { type: 'origin_closed', origin, done: true })
    },
    end: () => route('parse', { type: 'end_of_input' }),
  }
}

function eachKept(header: FrameHeader, raw: Uint8Array, each: EachKept): void {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
  const first = indexOffset(header.ndjsonBytes)
  for (let n = 0; n < header.count; n++) {
    const entry = first + n * INDEX_ENTRY_BYTES
    const from = view.getUint32(entry + 8, true)
    const bytes = view.getUint32(entry + 12, true)
    each(header, view.getUint32(entry + 16, true), raw, from, from + bytes)
  }
}
