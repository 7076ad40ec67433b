// An audit by hand: the frames that the data folder knows are checked and repaired now, then looked at once more.
import { join } from 'node:path'
import { openAuditLog } from '../../actors/auditor/audit-log.js'
import type { Verdict } from '../../actors/auditor/check.js'
import { createEngine, type Engine, lettersAway } from '../../actors/auditor/engine.js'
import { type KnownFrames, knownFrames } from '../../actors/auditor/known-frames.js'
import type { AuditTask } from '../../protocol/audit.js'
import type { ArchiveOptions } from '../../protocol/config/backends.js'
import { JETSTREAM_CURSOR } from '../../protocol/buffer.js'
import type { Config } from '../../protocol/config/schema.js'
import { MillraceError } from '../../protocol/errors.js'
import { sleep, systemClock } from '../../runtime/clock.js'
import { createLogger } from '../../runtime/log.js'
import { createMetrics } from '../../runtime/metrics.js'
import { openSharedLetters, type SharedLetters } from '../shared-letters.js'
import { demandArrived } from './arrived.js'

export interface AuditRunOptions {
  readonly sinceMs: number
  readonly repairs: boolean
  readonly withArchive: boolean
  readonly queriesPerSecond: number
  readonly signal: AbortSignal
}

export interface BackendResult {
  missing: number
  extra: number
  altered: number
  queries: number
}

export interface AuditRunResult {
  /** Every backend holds every record, now. */
  readonly whole: boolean
  readonly frames: number
  readonly records: number
  readonly compared: number
  readonly agreed: number
  readonly repaired: number
  readonly unsure: number
  readonly postponed: number
  readonly differs: number
  /** Not acknowledged by every backend yet: nothing to audit. */
  readonly unacknowledged: number
  readonly interrupted: boolean
  readonly backends: Readonly<Record<string, BackendResult>>
  /** Records that were sent again, by backend and where they came from. */
  readonly repairs: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly reasons: readonly string[]
  readonly tookMs: number
}

/** A backend needs a moment to show what it was just given. */
const RECHECK_AFTER_MS = 1000
const RECHECKS_MAX = 3

interface Opened {
  readonly engine: Engine
  readonly known: KnownFrames
  readonly figures: Figures
  close(): Promise<void>
}

interface Figures {
  compared: number
  readonly repairs: Record<string, Record<string, number>>
}

async function openAudit(config: Config, options: AuditRunOptions): Promise<Opened> {
  const { node } = config
  const clock = systemClock
  const audited = Object.entries(config.backends).flatMap(([name, { type }]) =>
    type === 'archive' ? [] : [name],
  )
  if (audited.length === 0) {
    throw new MillraceError(
      'usage.backends',
      'there is nothing to audit: no backend of type elasticsearch or loki is configured',
    )
  }
  const archives = Object.values(config.backends).filter(({ type }) => type === 'archive') as ArchiveOptions[]
  const isBuffered = config.buffer.mode === 'jetstream'
  if (isBuffered) await demandArrived(config, options.signal)
  const known = await knownFrames({
    dataDir: node.data_dir,
    node: node.id,
    sinceMs: options.sinceMs,
    backends: isBuffered ? [JETSTREAM_CURSOR] : audited,
    archives: options.withArchive ? archives.map(({ path }) => path) : [],
    nowMs: clock.now(),
  })
  const log = createLogger('error')
  const auditLog = openAuditLog(join(node.data_dir, 'audit'), clock.now, (error) =>
    log.error({ err: error }, 'the log of the audit cannot be written'),
  )
  const figures: Figures = { compared: 0, repairs: {} }
  const metrics = createMetrics()
  let shared: SharedLetters | undefined
  const sharedLetters = async () => {
    shared ??= await openSharedLetters(config).catch((cause: unknown) => {
      throw lettersAway(cause instanceof Error ? cause.message : String(cause), cause)
    })
    return shared?.letters
  }
  const engine = createEngine({
    sharedLetters,
    audit: { ...config.audit, queries_per_second: options.queriesPerSecond },
    backends: config.backends,
    node: { id: node.id, clusterId: node.cluster_id, dataDir: node.data_dir },
    encoded: (task) => known.encoded(task),
    repairs: options.repairs,
    lettersIn: '@audit-run',
    clock,
    random: Math.random,
    log,
    auditLog,
    metrics: {
      ...metrics,
      add(name, by, labels) {
        metrics.add(name, by, labels)
        if (name === 'audit_compared_total') figures.compared += by
        if (name !== 'audit_repaired_total') return
        const of = (figures.repairs[labels?.['backend'] ?? ''] ??= {})
        const from = labels?.['from'] ?? ''
        of[from] = (of[from] ?? 0) + by
      },
    },
  })
  return {
    engine,
    known,
    figures,
    async close() {
      await engine.close()
      await shared?.close()
      await auditLog.close()
    },
  }
}

export async function auditRun(config: Config, options: AuditRunOptions): Promise<AuditRunResult> {
  const startedMs = systemClock.monotonic()
  const { engine, known, figures, close } = await openAudit(config, options)
  try {
    const first = await checkAll(engine, known.tasks, config.audit.frames_per_query, options.signal)
    const verdicts = new Map(first.map((verdict) => [verdict.task.id, verdict]))
    let open = first.filter(({ outcome }) => outcome === 'repaired')
    const repaired = new Set(open.map(({ task }) => task.id))
    for (let n = 0; n < RECHECKS_MAX && open.length > 0 && !options.signal.aborted; n++) {
      await sleep(systemClock, RECHECK_AFTER_MS, options.signal)
      const again = open.map(({ task }) => ({ ...task, ackedMs: systemClock.now() }))
      const checked = await checkAll(engine, again, config.audit.frames_per_query, options.signal)
      for (const verdict of checked) verdicts.set(verdict.task.id, verdict)
      open = checked.filter(({ outcome }) => outcome === 'repaired')
    }
    return resultOf({
      first,
      last: [...verdicts.values()],
      repaired,
      known,
      figures,
      queries: Object.fromEntries(engine.readers.map((reader) => [reader.name, reader.queries()])),
      interrupted: options.signal.aborted,
      tookMs: Math.round(systemClock.monotonic() - startedMs),
    })
  } finally {
    await close()
  }
}

async function checkAll(
  engine: Engine,
  tasks: readonly AuditTask[],
  together: number,
  signal: AbortSignal,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  // By time: frames that lie side by side share a window.
  const sorted = tasks.toSorted((a, b) => a.fromMs - b.fromMs)
  for (let at = 0; at < sorted.length && !signal.aborted; at += together)
    verdicts.push(...(await engine.check(sorted.slice(at, at + together))))
  return verdicts
}

interface Found {
  readonly first: readonly Verdict[]
  readonly last: readonly Verdict[]
  readonly repaired: ReadonlySet<string>
  readonly known: KnownFrames
  readonly figures: Figures
  readonly queries: Readonly<Record<string, number>>
  readonly interrupted: boolean
  readonly tookMs: number
}

function resultOf({
  first,
  last,
  repaired,
  known,
  figures,
  queries,
  interrupted,
  tookMs,
}: Found): AuditRunResult {
  const backends: Record<string, BackendResult> = {}
  for (const [name, count] of Object.entries(queries))
    backends[name] = { missing: 0, extra: 0, altered: 0, queries: count }
  for (const { backend, missing, extra, altered } of first.flatMap(({ differences }) => differences)) {
    const of = backends[backend]
    if (of === undefined) continue
    of.missing += missing.length
    of.extra += extra
    of.altered += altered.length
  }
  const count = (outcome: Verdict['outcome']) => last.filter((verdict) => verdict.outcome === outcome).length
  const mended = last.filter(({ task, outcome }) => outcome === 'agreed' && repaired.has(task.id)).length
  const agreed = count('agreed') - mended
  const unsure = count('unsure')
  const postponed = count('postponed')
  // Repaired again and again and still not there is no repair.
  const differs = count('differs') + count('repaired')
  return {
    whole: unsure + postponed + differs === 0 && !interrupted,
    frames: last.length,
    records: last.reduce((sum, { task }) => sum + task.count, 0),
    compared: figures.compared,
    agreed,
    repaired: mended,
    unsure,
    postponed,
    differs,
    unacknowledged: known.unacknowledged,
    interrupted,
    backends,
    repairs: figures.repairs,
    reasons: [...new Set(last.flatMap(({ reason }) => reason ?? []))],
    tookMs,
  }
}

export interface FrameResult {
  readonly whole: boolean
  readonly frame: string
  readonly records: number
  readonly from: string
  readonly to: string
  /** Seq in the journal, while that still holds it. */
  readonly journalSeq?: number
  readonly backends: Readonly<
    Record<
      string,
      {
        readonly held: number
        readonly missing: readonly number[]
        readonly copies: number
        readonly dead: number
      }
    >
  >
}

/** Throws `audit.unknown_frame` for one that the data folder does not know. */
export async function auditFrame(
  config: Config,
  id: string,
  sinceMs: number,
  withArchive: boolean,
): Promise<FrameResult> {
  const signal = new AbortController().signal
  const options = { sinceMs, repairs: false, withArchive, queriesPerSecond: 10, signal }
  const { engine, known, close } = await openAudit(config, options)
  try {
    const found = known.tasks.find((task) => task.id === id)
    if (found === undefined) {
      const text = `frame ${id} is neither in the journal of ${config.node.data_dir} nor in the audit's queue, or a backend has not acknowledged it yet; --since looks further back, --archive into the archive`
      throw new MillraceError('audit.unknown_frame', text)
    }
    const task = await engine.spread(found)
    await Promise.all(engine.readers.map((reader) => reader.refresh([task])))
    const dead = (await engine.deadOf([task])).get(id) ?? {}
    const backends: Record<string, FrameResult['backends'][string]> = {}
    for (const reader of engine.readers) {
      const { numbers, copies } = (await reader.held([task])).get(id) ?? {
        numbers: new Set<number>(),
        copies: 0,
      }
      const buried = new Set(dead[reader.name])
      const missing = Array.from({ length: task.count }, (_, n) => n).filter(
        (n) => !numbers.has(n) && !buried.has(n),
      )
      backends[reader.name] = { held: numbers.size, missing, copies, dead: buried.size }
    }
    const encoded = await known.encoded(task)
    return {
      whole: Object.values(backends).every(({ missing }) => missing.length === 0),
      frame: id,
      records: task.count,
      from: new Date(task.fromMs).toISOString(),
      to: new Date(task.toMs).toISOString(),
      ...(encoded === undefined ? {} : { journalSeq: task.seq }),
      backends,
    }
  } finally {
    await close()
  }
}
