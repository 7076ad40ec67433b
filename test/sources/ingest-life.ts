// One life of a node's ingest, from a container log source to sealed frames, in this thread and under a clock that the test moves.
import { setImmediate as breath } from 'node:timers/promises'
import { enrich } from '../../actors/enrich.js'
import { frameRawBytes, ingestMemory, slabMemory } from '../../actors/ingest-memory.js'
import { parse } from '../../actors/parse/parse.js'
import { sample } from '../../actors/sample/sample.js'
import { kubernetesSource } from '../../actors/sources/kubernetes.js'
import { records as recordsSchema } from '../../protocol/config/node.js'
import { sampling } from '../../protocol/config/sampling.js'
import { kubernetesSource as podsSchema } from '../../protocol/config/sources.js'
import { indexOffset } from '../../protocol/frame.js'
import type { Message } from '../../protocol/messages.js'
import type { Position } from '../../protocol/positions.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import type { Clock } from '../../runtime/clock.js'
import { createLiveMemory, openLiveSettings } from '../../runtime/live-settings.js'
import { createLogger } from '../../runtime/log.js'
import { createMetrics } from '../../runtime/metrics.js'
import { createArena, openSlots } from '../../runtime/slots.js'

export interface LifeFrame {
  readonly positions: readonly Position[]
  readonly lines: readonly string[]
}

export interface IngestLife {
  /** Sealed and handed to the journal, in order. */
  readonly frames: readonly LifeFrame[]
  /** Lets so much time pass, timer by timer, and what is read in it arrive. */
  pass(ms: number): Promise<void>
  /** As a kill does: nothing is sealed any more. */
  end(): void
}

export interface LifeOptions {
  readonly root: string
  readonly positions: readonly Position[]
  /** Of the node's whole time: goes on from life to life. */
  readonly time: { monotonicMs: number; wallShiftMs: number }
  readonly filesMax?: number
  /** Time stands still while it holds: the disk is the machine's, and takes its own. */
  readonly isBusy: () => boolean
}

const RECORDS = {
  ...recordsSchema.parse(undefined),
  line_bytes_max: 4096,
  frame_bytes: 2048,
  batch_age_max: 100,
}
const SETTINGS = JSON.stringify(
  sampling.parse({ tiers: { fatal: 1, error: 1, warn: 1, info: 1, debug: 1, trace: 1 } }),
)
const SLOTS = 8
const STEP_MS = 10

interface Timer {
  /** Undefined: once. */
  readonly everyMs: number | undefined
  dueMs: number
  readonly run: () => void
}

function createTestClock(time: LifeOptions['time']) {
  const timers = new Set<Timer>()
  const clock: Clock = {
    now: () => Date.now() + time.wallShiftMs,
    monotonic: () => time.monotonicMs,
    after: (delayMs, run) => add({ everyMs: undefined, dueMs: time.monotonicMs + delayMs, run }),
    every: (everyMs, run) => add({ everyMs, dueMs: time.monotonicMs + everyMs, run }),
  }
  function add(timer: Timer): () => void {
    timers.add(timer)
    return () => void timers.delete(timer)
  }
  function step(): void {
    time.monotonicMs += STEP_MS
    for (const timer of [...timers]) {
      if (timer.dueMs > time.monotonicMs || !timers.has(timer)) continue
      if (timer.everyMs === undefined) timers.delete(timer)
      else timer.dueMs = time.monotonicMs + timer.everyMs
      timer.run()
    }
  }
  return { clock, step }
}

export async function startLife({
  root,
  positions,
  time,
  filesMax,
  isBusy,
}: LifeOptions): Promise<IngestLife> {
  const raw = frameRawBytes(RECORDS)
  const slots = openSlots(createArena({ count: SLOTS, rawBytesMax: raw, encodedBytesMax: raw + 100_000 }))
  const { clock, step } = createTestClock(time)
  const shared = new Map<string, unknown>()
  const frames: LifeFrame[] = []
  const actors = new Map<string, Actor>()
  let failure: unknown
  let over = false
  const base: Omit<ActorContext, 'name'> = {
    node: { id: 'node-1', clusterId: 'test', dataDir: '' },
    send: route,
    fail: (error) => void (failure ??= error),
    clock,
    random: () => 0.5,
    log: createLogger('silent'),
    metrics: createMetrics(),
    slots,
    live: openLiveSettings(createLiveMemory(SETTINGS)),
    epoch: 1,
    once: false,
    local<T>(key: string, make: () => T): T {
      if (!shared.has(key)) shared.set(key, make())
      return shared.get(key) as T
    },
  }

  function route(to: string, message: Message): void {
    if (over || to === 'supervisor' || to === 'traffic') return
    if (to === 'journal') return toJournal(message)
    const handler = actors.get(to)?.on[message.type] as ((message: Message, from: string) => void) | undefined
    if (handler === undefined) throw new Error(`${to} has no handler for ${message.type}`)
    handler(message, 'test')
  }

  function toJournal(message: Message): void {
    if (message.type === 'positions_wanted')
      queueMicrotask(() => route('source.pods', { type: 'positions', source: 'pods', positions }))
    if (message.type !== 'append') return
    const { codec } = ingestMemory({ ...base, name: 'journal' }, RECORDS)
    const { header, raw: body } = codec.open(slots.encoded(message.slot).slice(0, message.encodedBytes))
    frames.push({ positions: header.positions, lines: linesOf(header, body) })
    slots.release(message.slot)
    queueMicrotask(() => route('sample', { type: 'committed', frames: 1, epoch: 1 }))
  }

  const own = (name: string): ActorContext => ({ ...base, name })
  base.local('slab', () => slabMemory(own('source.pods'), RECORDS))
  const plain = podsSchema.parse({ type: 'kubernetes', path: root, api: 'off' })
  const options = {
    ...plain,
    poll: 50,
    rescan: 200,
    ...(filesMax === undefined ? {} : { files_max: filesMax }),
  }
  actors.set('parse', parse(own('parse'), { records: RECORDS, sources: 1, canonicalBytesMax: 8192 }))
  actors.set('enrich', enrich(own('enrich'), { records: RECORDS }))
  actors.set('sample', sample(own('sample'), { records: RECORDS, sources: ['source.pods'] }))
  actors.set('source.pods', kubernetesSource(own('source.pods'), { name: 'pods', options, records: RECORDS }))
  for (const actor of actors.values()) await actor.start?.()
  await breath()
  return {
    frames,
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += STEP_MS) {
        step()
        do await breath()
        while (isBusy())
        if (failure !== undefined) throw failure
      }
    },
    end() {
      over = true
      for (const actor of actors.values()) void actor.stop?.()
    },
  }
}

function linesOf(header: { count: number; ndjsonBytes: number }, body: Uint8Array): string[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  return Array.from({ length: header.count }, (_, n) => {
    const at = indexOffset(header.ndjsonBytes) + n * 32
    const offset = view.getUint32(at + 8, true)
    return Buffer.from(body.subarray(offset, offset + view.getUint32(at + 12, true))).toString('utf8')
  })
}
