// A bench for one source: it plays journal, parse and supervisor, and keeps what they were told.
import { pino } from 'pino'
import type { Message, Origin, SlabMessage } from '../../protocol/messages.js'
import type { Carry, FilePosition } from '../../protocol/positions.js'
import type { RecordsOptions } from '../../protocol/config/node.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { systemClock, type Clock } from '../../runtime/clock.js'
import type { MetricName } from '../../runtime/metrics.js'

/** A slab message with its own copy of the bytes. */
export type KeptSlab = SlabMessage & { readonly text: string; readonly path: string }

export interface Bench {
  readonly context: ActorContext
  readonly origins: Map<number, Origin>
  /** Every origin message, in order. */
  readonly announced: { origin: Origin; carry?: readonly Carry[] }[]
  readonly slabs: KeptSlab[]
  readonly closed: { origin: number; done: boolean; cutOff: boolean; path: string }[]
  readonly other: Message[]
  /** All messages to parse, in short form, in order. */
  readonly story: string[]
  /** Lines in order of arrival. */
  lines(): string[]
  metric(name: MetricName, labels?: Readonly<Record<string, string>>): number
  /** The positions as the ingest chain would have them committed. */
  positions(): FilePosition[]
  /** Starts the actor and answers it with these positions. */
  start(actor: Actor, positions?: readonly FilePosition[]): Promise<void>
  /** Waits until the condition holds; fails after `withinMs`. */
  until(condition: () => boolean, what: string, withinMs?: number): Promise<void>
  stop(): Promise<void>
  actor(): Actor
}

export const RECORDS: RecordsOptions = {
  line_bytes_max: 256 * 1024,
  frame_bytes: 512 * 1024,
  batch_age_max: 500,
}

export interface BenchOptions {
  readonly name?: string
  readonly once?: boolean
  readonly clock?: Clock
  /** Called for each slab, before the source's send returns. */
  onSlab?(slab: KeptSlab): void
}

export function createBench(options: BenchOptions = {}): Bench {
  const counts = new Map<string, number>()
  const locals = new Map<string, unknown>()
  const origins = new Map<number, Origin>()
  const announced: Bench['announced'] = []
  const slabs: KeptSlab[] = []
  const closed: Bench['closed'] = []
  const other: Message[] = []
  const story: string[] = []
  const committed = new Map<string, FilePosition>()
  let actor: Actor | undefined
  let failure: unknown

  function toParse(message: Message): void {
    if (message.type === 'origin') {
      story.push(`origin ${message.origin.file?.path.split('/').at(-1) ?? message.origin.id}`)
      origins.set(message.origin.id, message.origin)
      announced.push({ origin: message.origin, ...(message.carry ? { carry: message.carry } : {}) })
      keep(message.origin, 0)
    } else if (message.type === 'slab') {
      const origin = origins.get(message.origin) as Origin
      const text = Buffer.from(message.bytes).toString('utf8')
      const slab = { ...message, bytes: message.bytes.slice(), text, path: origin.file?.path ?? '' }
      slabs.push(slab)
      story.push(
        `slab ${slab.path.split('/').at(-1)} ${message.offset}-${message.endOffset}${message.last ? ' last' : ''}${message.cut ? ' cut' : ''}`,
      )
      const grown =
        message.identity && origin.file
          ? { ...origin, file: { ...origin.file, identity: message.identity } }
          : origin
      origins.set(message.origin, grown)
      keep(grown, message.endOffset)
      options.onSlab?.(slab)
    } else if (message.type === 'origin_closed') {
      const origin = origins.get(message.origin) as Origin
      const path = origin.file?.path ?? ''
      story.push(`closed ${path.split('/').at(-1)}${message.done ? ' done' : ''}`)
      closed.push({ origin: message.origin, done: message.done, cutOff: message.cutOff === true, path })
      const at = committed.get(origin.file?.key ?? '')
      if (at && message.done) committed.set(at.key, { ...at, done: true })
    } else other.push(message)
  }

  function keep(origin: Origin, offset: number): void {
    if (origin.file === undefined) return
    const { key, path, identity } = origin.file
    const before = committed.get(key)
    committed.set(key, {
      kind: 'file',
      source: origin.source,
      key,
      path,
      identity,
      offset: Math.max(offset, before?.offset ?? 0),
    })
  }

  const name = options.name ?? 'app'
  const context = {
    name: `source.${name}`,
    node: { id: 'node-1', clusterId: 'test', dataDir: '/nowhere' },
    send(to: string, message: Message) {
      if (to === 'parse') toParse(message)
      else other.push(message)
    },
    fail(error: unknown) {
      failure ??= error
    },
    clock: options.clock ?? systemClock,
    random: () => 0.5,
    log: pino({ level: 'silent' }),
    metrics: {
      add(metric: string, by: number, labels = {}) {
        const key = `${metric}${JSON.stringify(labels)}`
        counts.set(key, (counts.get(key) ?? 0) + by)
      },
      set(metric: string, value: number, labels = {}) {
        counts.set(`${metric}${JSON.stringify(labels)}`, value)
      },
      observe() {},
      snapshot: async () => [],
    },
    epoch: 1,
    once: options.once ?? false,
    local<T>(key: string, make: () => T): T {
      if (!locals.has(key)) locals.set(key, make())
      return locals.get(key) as T
    },
  } as unknown as ActorContext

  return {
    context,
    origins,
    announced,
    slabs,
    closed,
    other,
    story,
    lines: () => slabs.flatMap(({ text }) => text.split('\n').filter((line) => line !== '')),
    metric: (metric, labels = {}) => counts.get(`${metric}${JSON.stringify(labels)}`) ?? 0,
    positions: () => [...committed.values()],
    async start(started, positions = []) {
      actor = started
      await actor.start?.()
      actor.on.positions?.({ type: 'positions', source: name, positions }, 'journal')
    },
    async until(condition, what, withinMs = 5000) {
      const endMs = performance.now() + withinMs
      while (!condition()) {
        if (failure !== undefined) throw failure
        if (performance.now() > endMs)
          throw new Error(`not within ${withinMs} ms: ${what}\n${story.join('\n')}`)
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
    },
    actor: () => actor as Actor,
    async stop() {
      await actor?.stop?.()
      if (failure !== undefined) throw failure
    },
  }
}
