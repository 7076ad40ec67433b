// An audit by hand: the frames that the data folder knows are checked and repaired now, then looked at once more.
import type { Verdict } from '../../actors/auditor/check.js'
import type { Engine } from '../../actors/auditor/engine.js'
import type { KnownFrames } from '../../actors/auditor/known-frames.js'
import type { AuditTask } from '../../protocol/audit.js'
import type { Config } from '../../protocol/config/schema.js'
import { sleep, systemClock } from '../../runtime/clock.js'
import { type AuditRunOptions, type Figures, openAudit } from './open.js'

export interface BackendResult {
  missing: number
  extra: number
  altered: number
  queries: number
}

export interface AuditRunResult {
  /** Every backend holds every record of all frames since, now; also when there are none. */
  readonly whole: boolean
  readonly frames: number
  readonly records: number
  readonly compared: number
  readonly agreed: number
  readonly repaired: number
  readonly unsure: number
  readonly postponed: number
  readonly differs: number
  /** Of the last minute, and not acknowledged by every backend yet: not checked. */
  readonly onTheirWay: number
  /** Older, and not acknowledged by every backend. */
  readonly unacknowledged: number
  /** Frames of the journal that can not be read: a backend that had not got them lacks them. */
  readonly unreadable: number
  /** The archive was read too. */
  readonly withArchive: boolean
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
      withArchive: options.withArchive,
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
  readonly withArchive: boolean
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
  withArchive,
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
  const { onTheirWay, unacknowledged, unreadable } = known
  return {
    whole: unsure + postponed + differs + unacknowledged + unreadable === 0 && !interrupted,
    frames: last.length,
    records: last.reduce((sum, { task }) => sum + task.count, 0),
    compared: figures.compared,
    agreed,
    repaired: mended,
    unsure,
    postponed,
    differs,
    onTheirWay,
    unacknowledged,
    unreadable,
    withArchive,
    interrupted,
    backends,
    repairs: figures.repairs,
    reasons: [...new Set(last.flatMap(({ reason }) => reason ?? []))],
    tookMs,
  }
}
