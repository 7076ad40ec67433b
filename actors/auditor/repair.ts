// Brings missing records back: from the journal, else from another backend, else from the archive, with the writers' own encoders.
import type { Logger } from 'pino'
import type { AuditTask } from '../../protocol/audit.js'
import type { ArchiveOptions, BackendOptions } from '../../protocol/config/backends.js'
import type { Clock } from '../../runtime/clock.js'
import type { DeadLetters } from '../../runtime/dead-letters.js'
import type { Metrics } from '../../runtime/metrics.js'
import { walkArchive } from '../writers/archive/read.js'
import { createRebuilder, type Rebuilder, type RebuildRecord } from '../writers/rebuild.js'
import { openSender, type Sender } from '../writers/sender.js'
import type { Refused } from '../writers/writer.js'
import { noAnswer } from './exchange.js'
import { type BackendReader, spansOf } from './reader.js'

export interface Repaired {
  /** Records sent, by where they came from: `journal`, a backend's name, `archive`, `dead_letters`. */
  readonly from: ReadonlyMap<string, number>
  /** Refused by the backend, now in the dead letters. */
  readonly buried: number
  /** Nobody has them any more. */
  readonly lost: readonly number[]
}

export interface Repair {
  /** Rejects with `audit.backend` when the backend does not take them now. */
  repair(task: AuditTask, backend: string, missing: readonly number[]): Promise<Repaired>
  close(): Promise<void>
}

export interface RepairOptions {
  readonly backends: Readonly<Record<string, BackendOptions>>
  readonly readers: readonly BackendReader[]
  /** The frame as the journal has it. */
  encoded(task: AuditTask): Promise<Uint8Array | undefined>
  letters(backend: string): DeadLetters
  /** Its records among the dead letters, of whatever backend. */
  buried(task: AuditTask): AsyncIterable<RebuildRecord>
  readonly nodeId: string
  readonly clock: Clock
  random(): number
  readonly log: Logger
  readonly metrics: Metrics
}

const SEND_WAIT_MS = 60_000

export function createRepair(options: RepairOptions): Repair {
  const { clock, readers } = options
  const senders = new Map<string, Sender>()
  let rebuilder: Rebuilder | undefined

  /** Opened when the first record is missing: an encoder takes tens of MiB. */
  async function senderOf(backend: string): Promise<Sender> {
    const known = senders.get(backend)
    const chosen = options.backends[backend]
    if (known !== undefined) return known
    if (chosen === undefined || chosen.type === 'archive')
      throw noAnswer(backend, 'is none that can be repaired')
    const { nodeId, log, metrics } = options
    const random = () => options.random()
    const sender = await openSender({
      name: backend,
      options: chosen,
      nodeId,
      clock,
      random,
      log,
      metrics,
    }).catch((cause: unknown) => {
      throw noAnswer(backend, `cannot be opened for a repair: ${String(cause)}`, cause)
    })
    senders.set(backend, sender)
    return sender
  }

  async function bury(backend: string, refused: readonly Refused[]): Promise<void> {
    const time = new Date(clock.now()).toISOString()
    await options.letters(backend).put(
      refused.map(({ reason, detail, frame, n, record }) => {
        return {
          backend,
          reason,
          ...(detail === undefined ? {} : { detail }),
          time,
          tries: 1,
          frame,
          n,
          record,
        }
      }),
    )
    for (const { reason } of refused) options.metrics.add('dead_letters_total', 1, { backend, reason })
  }

  async function send(
    backend: string,
    encoded: Uint8Array,
    numbers: ReadonlySet<number>,
  ): Promise<{ stored: number; buried: number }> {
    const sender = await senderOf(backend)
    const { stored, refused, open } = await sender.send(encoded, numbers, SEND_WAIT_MS)
    if (refused.length > 0) await bury(backend, refused)
    if (open > 0) {
      // What is under way must not go on behind the back of the next check.
      const why = sender.fault() ?? 'no answer'
      senders.delete(backend)
      await sender.close()
      throw noAnswer(backend, `takes no repair: ${why}`)
    }
    return { stored, buried: refused.length }
  }

  async function sendRecords(backend: string, task: AuditTask, records: readonly RebuildRecord[]) {
    rebuilder ??= createRebuilder()
    const total = { stored: 0, buried: 0 }
    for (const { encoded, numbers } of rebuilder.rebuild(task.id, records, () => undefined)) {
      const { stored, buried } = await send(backend, encoded, numbers)
      total.stored += stored
      total.buried += buried
    }
    return total
  }

  async function archived(task: AuditTask, wanted: ReadonlySet<number>): Promise<RebuildRecord[]> {
    const archives = Object.values(options.backends).filter(({ type }) => type === 'archive')
    const found = new Map<number, RebuildRecord>()
    for (const { path: root } of archives as ArchiveOptions[]) {
      for (const span of spansOf(task)) {
        for await (const member of walkArchive({ root, ...span, broken: () => undefined })) {
          if (!member.frames.includes(task.id)) continue
          for (const { frame, n, line } of member.records())
            if (frame === task.id && wanted.has(n)) found.set(n, { n, line })
        }
      }
    }
    return [...found.values()]
  }

  async function dead(task: AuditTask, wanted: ReadonlySet<number>): Promise<RebuildRecord[]> {
    const found = new Map<number, RebuildRecord>()
    for await (const record of options.buried(task)) if (wanted.has(record.n)) found.set(record.n, record)
    return [...found.values()]
  }

  return {
    async repair(task, backend, missing) {
      const from = new Map<string, number>()
      let left = new Set(missing)
      let buried = 0
      async function take(source: string, records: readonly RebuildRecord[]): Promise<void> {
        if (records.length === 0) return
        const sent = await sendRecords(backend, task, records)
        if (sent.stored > 0) from.set(source, sent.stored)
        buried += sent.buried
        left = new Set([...left].filter((n) => !records.some((record) => record.n === n)))
      }
      const encoded = await options.encoded(task)
      if (encoded !== undefined) {
        const sent = await send(backend, encoded, left)
        if (sent.stored > 0) from.set('journal', sent.stored)
        return { from, buried: sent.buried, lost: [] }
      }
      for (const reader of readers) {
        if (reader.name === backend || left.size === 0) continue
        const records = await reader.records(task, [...left])
        await take(
          reader.name,
          [...records].map(([n, record]) => ({ n, ...record })),
        )
      }
      if (left.size > 0) await take('archive', await archived(task, left))
      // What another backend could never take lies only there.
      if (left.size > 0) await take('dead_letters', await dead(task, left))
      return { from, buried, lost: [...left] }
    },
    async close() {
      await Promise.all([...senders.values()].map((sender) => sender.close()))
      senders.clear()
    },
  }
}
