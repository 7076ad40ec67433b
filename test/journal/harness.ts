// A journal actor on a real folder with a fake clock, real slots, and writers that the test plays itself.
import type { TestContext } from 'node:test'
import pino from 'pino'
import { journal } from '../../actors/journal.js'
import { type JournalOptions, journal as journalSchema } from '../../protocol/config/node.js'
import type { FrameMessage, Message, MessageOf, MessageType } from '../../protocol/messages.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { createLiveMemory, openLiveSettings } from '../../runtime/live-settings.js'
import { createArena, openSlots, type Slots, type SlotsArena } from '../../runtime/slots.js'
import { nodeFiles, type WalFiles } from '../../runtime/wal/files.js'
import type { MetricName } from '../../runtime/metrics.js'
import { createFakeClock, type FakeClock, settle } from './fake-clock.js'
import { checksum, type TestFrame } from './frames.js'

export interface Sent {
  readonly to: string
  readonly message: Message
}

export interface JournalRun {
  readonly actor: Actor
  readonly clock: FakeClock
  readonly slots: Slots
  readonly sent: Sent[]
  readonly failures: unknown[]
  /** `name{label values}` → sum or last value. */
  readonly metrics: ReadonlyMap<string, number>
  tell<T extends MessageType>(message: MessageOf<T>, from?: string): void
  /** Appends as the ingest chain does; false when no slot is free. */
  append(frame: TestFrame, epoch?: number): boolean
  /** Messages of one type since the last call that asked for this type and address. */
  take<T extends MessageType>(type: T, to?: string): MessageOf<T>[]
  /** Resolves when no file operation is under way and nothing follows. */
  quiet(): Promise<void>
  stop(): Promise<void>
}

export interface RunOptions {
  readonly settings?: Partial<JournalOptions>
  readonly writers?: readonly string[]
  /** With an audit that holds so many bytes. */
  readonly holdBytesMax?: number
  readonly files?: WalFiles
  readonly arena?: SlotsArena
  readonly epoch?: number
  /** Runs while the journal is being opened. */
  readonly early?: (actor: Actor) => void
}

export const ARENA = { count: 8, rawBytesMax: 32 * 1024, encodedBytesMax: 32 * 1024 }

export async function run(test: TestContext, dataDir: string, options: RunOptions = {}): Promise<JournalRun> {
  const files = counted(options.files ?? nodeFiles)
  const clock = createFakeClock(undefined, files.quiet)
  const slots = openSlots(options.arena ?? createArena(ARENA))
  const sent: Sent[] = []
  const failures: unknown[] = []
  const metrics = new Map<string, number>()
  const shared = new Map<string, unknown>([
    ['frame_checksum', checksum],
    ['wal_files', files],
  ])
  const keyOf = (name: MetricName, labels: Readonly<Record<string, string>> = {}) =>
    `${name}{${Object.values(labels).join()}}`
  const context: ActorContext = {
    name: 'journal',
    node: { id: 'n1', clusterId: 'c1', dataDir },
    send: (to, message) => void sent.push({ to, message }),
    fail: (error) => void failures.push(error),
    clock,
    random: () => 0.5,
    log: pino({ level: 'silent' }),
    metrics: {
      add: (name, by, labels) =>
        void metrics.set(keyOf(name, labels), (metrics.get(keyOf(name, labels)) ?? 0) + by),
      set: (name, value, labels) => void metrics.set(keyOf(name, labels), value),
      observe: () => undefined,
      snapshot: async () => [],
    },
    slots,
    live: openLiveSettings(createLiveMemory('{}')),
    epoch: options.epoch ?? 1,
    once: false,
    local<T>(key: string, make: () => T): T {
      if (!shared.has(key)) shared.set(key, make())
      return shared.get(key) as T
    },
  }
  const settings = { ...journalSchema.parse({ commit_wait: 0 }), ...options.settings }
  const writers = options.writers ?? ['es']
  const { holdBytesMax } = options
  const audit =
    holdBytesMax === undefined
      ? {}
      : { audit: { backends: writers.filter((name) => name !== 'vault'), holdBytesMax, mends: true } }
  const actor = journal(context, { journal: settings, writers, ...audit })
  const starting = actor.start?.()
  options.early?.(actor)
  await starting
  let stopped = false
  const started: JournalRun = {
    actor,
    clock,
    slots,
    sent,
    failures,
    metrics,
    tell(message, from = 'supervisor') {
      const handler = actor.on[message.type] as ((message: Message, from: string) => void) | undefined
      if (handler === undefined) throw new Error(`no handler for ${message.type}`)
      handler(message, from)
    },
    append(frame, epoch = 1) {
      const slot = slots.acquire(epoch)
      if (slot < 0) return false
      slots.raw(slot).set(frame.raw)
      slots.encoded(slot).set(frame.encoded)
      const lengths = { rawBytes: frame.raw.length, encodedBytes: frame.encoded.length }
      started.tell({ type: 'append', slot, ...lengths, epoch })
      return true
    },
    take<T extends MessageType>(type: T, to?: string) {
      const taken: MessageOf<T>[] = []
      for (let at = 0; at < sent.length; ) {
        const { message, to: address } = sent[at] as Sent
        if (message.type !== type || (to !== undefined && address !== to)) at++
        else {
          taken.push(message as MessageOf<T>)
          sent.splice(at, 1)
        }
      }
      return taken
    },
    quiet: files.quiet,
    async stop() {
      if (stopped) return
      stopped = true
      await actor.stop?.()
    },
  }
  test.after(() => started.stop())
  return started
}

/** The same files, and when none of their operations is under way. */
function counted(files: WalFiles): WalFiles & { quiet(): Promise<void> } {
  let pending = 0
  async function count<T>(operation: Promise<T>): Promise<T> {
    pending++
    try {
      return await operation
    } finally {
      pending--
    }
  }
  async function quiet(): Promise<void> {
    for (let calm = 0; calm < 10; calm++) {
      await new Promise((resolve) => setImmediate(resolve))
      if (pending > 0) calm = 0
    }
  }
  return {
    quiet,
    async open(path, how) {
      const file = await count(files.open(path, how))
      return {
        write: (parts, position) => count(file.write(parts, position)),
        read: (into, position) => count(file.read(into, position)),
        datasync: () => count(file.datasync()),
        truncate: (bytes) => count(file.truncate(bytes)),
        size: () => count(file.size()),
        close: () => count(file.close()),
      }
    },
    list: (folder) => count(files.list(folder)),
    makeFolder: (folder) => count(files.makeFolder(folder)),
    rename: (from, to) => count(files.rename(from, to)),
    remove: (path) => count(files.remove(path)),
    syncFolder: (folder) => count(files.syncFolder(folder)),
  }
}

export interface TestWriter {
  subscribe(creditBytes?: number, backfillBytesPerSecond?: number): void
  /** Frames since the last call; those from memory are copied and given back at once. */
  frames(): FrameMessage[]
  done(frames: readonly { readonly seq: number }[]): void
}

export function writer(of: JournalRun, name: string): TestWriter {
  const address = `writer.${name}`
  let session = 0
  return {
    subscribe(creditBytes = 1 << 20, backfillBytesPerSecond = 0) {
      of.tell(
        { type: 'subscribe', writer: name, session: ++session, creditBytes, backfillBytesPerSecond },
        address,
      )
    },
    frames() {
      const frames = of.take('frame', address)
      for (const { slot, seq, session: own } of frames)
        if (slot !== undefined) of.tell({ type: 'taken', writer: name, session: own, seq }, address)
      return frames
    },
    done: (frames) => of.tell({ type: 'done', writer: name, seqs: frames.map(({ seq }) => seq) }, address),
  }
}

/** Waits for real file operations, without guessing how long they take. */
export async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000; turn++) {
    if (condition()) return
    await settle(5)
    if (turn > 50) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  throw new Error('the condition did not come true')
}
