// A writer under test with a journal played by the test: it sends frames, by slot or as encoded bytes, and notes what comes back.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pino } from 'pino'
import { writerActor } from '../../actors/writers/actor.js'
import { backend as backendSchema } from '../../protocol/config/backends.js'
import type { Message, StatusMessage } from '../../protocol/messages.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { systemClock } from '../../runtime/clock.js'
import { createLiveMemory, openLiveSettings } from '../../runtime/live-settings.js'
import { createMetrics } from '../../runtime/metrics.js'
import { createArena, openSlots } from '../../runtime/slots.js'
import type { TestFrame } from './frames.js'

export interface WriterUnderTest {
  readonly dataDir: string
  readonly sent: readonly Message[]
  readonly done: ReadonlySet<number>
  readonly taken: readonly number[]
  readonly logs: readonly Record<string, unknown>[]
  /** `refilled`: this frame lies in the slot, but another one was meant. */
  send(seq: number, frame: TestFrame, how?: 'slot' | 'encoded' | 'refilled', suspect?: boolean): void
  message(message: Message): void
  /** Resolves as soon as the condition holds after some message or 10 ms; rejects after `waitMs`. */
  until(what: string, condition: () => boolean, waitMs?: number): Promise<void>
  allDone(...seqs: number[]): Promise<void>
  status(): StatusMessage | undefined
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>
  deadLetters(): Promise<
    { readonly reason: string; readonly n: number; readonly record: string; readonly frame: string }[]
  >
  stop(keepData?: boolean): Promise<void>
}

export type BackendInput = { readonly type: string; readonly [option: string]: unknown }

/** Fast where the defaults are slow: short waits, a quick breaker. Overridable by `options`. */
const QUICK = {
  batch_age_max: 20,
  timeout: 2000,
  retry: { initial: 5, max: 40 },
  breaker: { window: 1000, failed_share: 0.6, requests_min: 5, open: 100 },
}

export async function startWriter(options: BackendInput, dataDir?: string): Promise<WriterUnderTest> {
  const folder = dataDir ?? mkdtempSync(path.join(tmpdir(), 'millrace-writer-'))
  const parsed = backendSchema.parse({ ...QUICK, ...options })
  const arena = createArena({ count: 4, rawBytesMax: 2 * 1024 * 1024, encodedBytesMax: 2 * 1024 * 1024 })
  const slots = openSlots(arena)
  const metrics = createMetrics()
  const logs: Record<string, unknown>[] = []
  const sent: Message[] = []
  const done = new Set<number>()
  const taken: number[] = []
  let status: StatusMessage | undefined
  const shared = new Map<string, unknown>()
  const context: ActorContext = {
    name: 'writer.test',
    node: { id: 'node-1', clusterId: 'test', dataDir: folder },
    send(_to, message) {
      sent.push(message)
      if (message.type === 'done') for (const seq of message.seqs) done.add(seq)
      if (message.type === 'taken') taken.push(message.seq)
      if (message.type === 'status') status = message
    },
    fail(error) {
      throw error
    },
    clock: systemClock,
    random: Math.random,
    log: pino(
      { base: null },
      { write: (line: string) => void logs.push(JSON.parse(line) as Record<string, unknown>) },
    ),
    metrics,
    slots,
    live: openLiveSettings(createLiveMemory('{}')),
    epoch: 1,
    once: false,
    local<T>(key: string, make: () => T): T {
      if (!shared.has(key)) shared.set(key, make())
      return shared.get(key) as T
    },
  }
  const actor: Actor = writerActor(context, { name: 'test', options: parsed, stopWaitMs: 200 })
  await actor.start?.()

  async function until(what: string, condition: () => boolean, waitMs = 10_000): Promise<void> {
    const endMs = performance.now() + waitMs
    while (!condition()) {
      if (performance.now() > endMs) {
        const tail = JSON.stringify(logs.slice(-3))
        throw new Error(`not within ${waitMs} ms: ${what}; status ${JSON.stringify(status)}; log ${tail}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  function message(it: Message): void {
    const handler = actor.on[it.type] as ((message: Message, from: string) => void) | undefined
    handler?.(it, 'journal')
  }

  return {
    dataDir: folder,
    sent,
    done,
    taken,
    logs,
    message,
    until,
    send(seq, frame, how = 'slot', suspect = false) {
      const sizes = {
        rawBytes: frame.raw.length,
        encodedBytes: frame.encoded.length,
        ...(suspect ? ({ suspect: true } as const) : {}),
      }
      if (how === 'encoded')
        return message({
          type: 'frame',
          session: 1,
          seq,
          lane: 'backfill',
          encoded: frame.encoded.slice(),
          ...sizes,
        })
      const slot = slots.acquire(1)
      if (slot < 0) throw new Error('no free slot: the writer did not answer taken')
      slots.raw(slot).set(frame.raw)
      slots.encoded(slot).set(frame.encoded)
      const generation = slots.generation(slot) - Number(how === 'refilled')
      message({ type: 'frame', session: 1, seq, lane: 'live', slot, generation, ...sizes })
      // As the journal may: what is in the slot after `taken` is another frame's.
      slots.raw(slot).fill(0xee, 0, frame.raw.length)
      slots.encoded(slot).fill(0xee, 0, frame.encoded.length)
      slots.release(slot)
    },
    allDone: (...seqs) =>
      until(`done of ${seqs.join()}, done are ${[...done].join()}`, () => seqs.every((seq) => done.has(seq))),
    status: () => status,
    async metric(name, labels = {}) {
      type Json = { name: string; values: { value: number; labels: Record<string, string> }[] }
      const all = (await metrics.snapshot()) as Json[]
      const found = all.find((each) => each.name === `log_pipeline_${name}`)
      const values = found?.values.filter((value) =>
        Object.entries(labels).every(([key, want]) => value.labels[key] === want),
      )
      return values?.reduce((sum, { value }) => sum + value, 0) ?? 0
    },
    async deadLetters() {
      const { readdir, readFile } = await import('node:fs/promises')
      const at = path.join(folder, 'dlq', 'test')
      const names = await readdir(at).catch(() => [] as string[])
      const texts = await Promise.all(names.sort().map((name) => readFile(path.join(at, name), 'utf8')))
      type Letter = { reason: string; n: number; record: string; frame: string }
      return texts.flatMap((text) =>
        text
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as Letter),
      )
    },
    async stop(keepData = false) {
      await actor.stop?.()
      if (!keepData) rmSync(folder, { recursive: true, force: true })
    },
  }
}
