// Checks frames against the backends: counts of hundreds at once, record by record where they differ; then repairs what is missing.
import type { AuditTask } from '../../protocol/audit.js'
import { MillraceError, saidOf } from '../../protocol/errors.js'
import type { Clock } from '../../runtime/clock.js'
import type { Metrics } from '../../runtime/metrics.js'
import { type AuditLog, NUMBERS_SHOWN } from './audit-log.js'
import type { Comparison } from './compare.js'
import type { BackendReader, Held } from './reader.js'
import type { Repair } from './repair.js'

/** What a backend lacks, or has too much of, of one frame. */
export interface Difference {
  readonly backend: string
  readonly missing: readonly number[]
  /** Copies beyond the first: reported, never deleted. */
  readonly extra: number
  readonly altered: readonly number[]
}

export interface Verdict {
  readonly task: AuditTask
  /**
   * agreed: all backends hold every record. repaired: what was missing was sent; to be looked at again. unsure: Loki cannot show old
   * records before it has flushed them. postponed: a backend does not answer. differs: what is left cannot be mended. handed: something is missing, and
   * the frame is another node's, which has its journal and its dead letters: that node looks at it.
   */
  readonly outcome: 'agreed' | 'repaired' | 'unsure' | 'postponed' | 'differs' | 'handed'
  readonly differences: readonly Difference[]
  readonly reason?: string
}

export interface Checker {
  /** Never rejects for a backend that does not answer: then all frames are postponed. */
  check(tasks: readonly AuditTask[]): Promise<Verdict[]>
}

export interface CheckerOptions {
  readonly readers: readonly BackendReader[]
  /** Left out: differences are only told. */
  readonly repair?: Repair
  /** False: what is missing of this frame is for its own node to mend. */
  mends(task: AuditTask): boolean
  readonly comparison: Comparison
  /** Fills in where a frame's records lie in time, when they are far apart and the journal still knows. */
  spread(task: AuditTask): Promise<AuditTask>
  /** Numbers of records in the dead letters, by frame and backend. */
  deadOf(
    tasks: readonly AuditTask[],
  ): Promise<ReadonlyMap<string, Readonly<Record<string, readonly number[]>>>>
  readonly clock: Clock
  readonly log: AuditLog
  readonly metrics: Metrics
  /** Something else than a backend has failed. */
  unexpected(error: unknown): void
}

/** Loki asks its ingesters for the last three hours only, less a rounding (query_ingesters_within, 2 h 41 min observed). */
export const LOKI_VISIBLE_MS = 150 * 60_000
/** By then everything is flushed to where queries find it (max_chunk_age 2 h). */
export const LOKI_FLUSHED_MS = 135 * 60_000

const NOTHING: Held = { numbers: new Set(), copies: 0 }

export function createChecker(options: CheckerOptions): Checker {
  const { readers, repair, metrics, clock, log } = options

  async function lacking(
    reader: BackendReader,
    tasks: readonly AuditTask[],
  ): Promise<Map<string, Difference>> {
    const found = new Map<string, Difference>()
    const isWrong = (counted: ReadonlyMap<string, number>) => (task: AuditTask) =>
      (counted.get(task.id) ?? 0) !== task.count - (task.dead?.[reader.name]?.length ?? 0)
    let wrong = tasks.filter(isWrong(await reader.counts(tasks)))
    if (wrong.length === 0) return found
    // Written lately and not refreshed is not missing.
    await reader.refresh(wrong)
    const counted = await reader.counts(wrong)
    wrong = wrong.filter(isWrong(counted))
    if (wrong.length === 0) return found
    const dead = await options.deadOf(wrong)
    // Of which nothing is there needs no look.
    const heldByTask = await reader.held(wrong.filter(({ id }) => (counted.get(id) ?? 0) > 0))
    for (const task of wrong) {
      const held = heldByTask.get(task.id) ?? NOTHING
      const buried = new Set(dead.get(task.id)?.[reader.name])
      const all = Array.from({ length: task.count }, (_, n) => n)
      const missing = all.filter((n) => !held.numbers.has(n) && !buried.has(n))
      if (missing.length > 0 || held.copies > 0)
        found.set(task.id, { backend: reader.name, missing, extra: held.copies, altered: [] })
    }
    return found
  }

  function tell(task: AuditTask, { backend, missing, extra, altered }: Difference): void {
    const numbers = (some: readonly number[]) => some.slice(0, NUMBERS_SHOWN)
    const kinds = [
      ['missing', missing.length, numbers(missing)],
      ['extra', extra, []],
      ['altered', altered.length, numbers(altered)],
    ] as const
    for (const [kind, records, shown] of kinds) {
      if (records === 0) continue
      metrics.add('audit_differences_total', records, { backend, kind })
      log.write({ event: 'difference', frame: task.id, backend, kind, records, numbers: shown })
    }
  }

  function unrepaired(task: AuditTask, backend: string, reason: string, numbers: readonly number[]): void {
    metrics.add('audit_unrepaired_total', numbers.length, { backend, reason })
    const shown = numbers.slice(0, NUMBERS_SHOWN)
    log.write({
      event: 'unrepaired',
      frame: task.id,
      backend,
      reason,
      records: numbers.length,
      numbers: shown,
    })
  }

  /** True when nothing is left to mend. */
  async function mend(task: AuditTask, { backend, missing }: Difference): Promise<boolean> {
    if (repair === undefined) return false
    const { from, lost } = await repair.repair(task, backend, missing)
    for (const [source, records] of from) {
      metrics.add('audit_repaired_total', records, { backend, from: source })
      log.write({ event: 'repaired', frame: task.id, backend, from: source, records })
    }
    if (lost.length > 0) unrepaired(task, backend, 'lost', lost)
    return lost.length === 0
  }

  /** Records older than this lie where no query looks, until they are flushed. */
  function isHidden(task: AuditTask, { backend }: Difference): boolean {
    if (readers.find(({ name }) => name === backend)?.type !== 'loki') return false
    return task.fromMs < clock.now() - LOKI_VISIBLE_MS && clock.now() - task.ackedMs < LOKI_FLUSHED_MS
  }

  async function judge(task: AuditTask, differences: readonly Difference[]): Promise<Verdict> {
    const short = differences.filter(({ missing }) => missing.length > 0)
    const hidden = short.filter((difference) => isHidden(task, difference))
    if (short.length > hidden.length && !options.mends(task)) return { task, outcome: 'handed', differences }
    for (const difference of differences) if (!hidden.includes(difference)) tell(task, difference)
    let whole = differences.every(({ altered }) => altered.length === 0)
    let mended = false
    for (const difference of short) {
      if (hidden.includes(difference)) continue
      if (await mend(task, difference)) mended = true
      else whole = false
    }
    if (!whole) return { task, outcome: 'differs', differences }
    if (mended) return { task, outcome: 'repaired', differences }
    return { task, outcome: hidden.length > 0 ? 'unsure' : 'agreed', differences }
  }

  async function run(tasks: readonly AuditTask[]): Promise<Verdict[]> {
    const byTask = new Map<string, Difference[]>(tasks.map(({ id }) => [id, []]))
    for (const reader of readers)
      for (const [id, difference] of await lacking(reader, tasks)) byTask.get(id)?.push(difference)
    const even = tasks.filter(({ id }) => byTask.get(id)?.every(({ missing }) => missing.length === 0))
    for (const { id, backend, altered } of await options.comparison.compare(even))
      byTask.get(id)?.push({ backend, missing: [], extra: 0, altered })
    const verdicts: Verdict[] = []
    for (const task of tasks) verdicts.push(await judgeOrPostpone(task, byTask.get(task.id) ?? []))
    return verdicts
  }

  /** A backend that gives no answer is expected; anything else is a disk that refuses or a bug, and must be seen. */
  function reasonOf(error: unknown): string {
    if (!(error instanceof MillraceError)) options.unexpected(error)
    return saidOf(error)
  }

  async function judgeOrPostpone(task: AuditTask, differences: readonly Difference[]): Promise<Verdict> {
    try {
      return await judge(task, differences)
    } catch (error) {
      return { task, outcome: 'postponed', differences, reason: reasonOf(error) }
    }
  }

  /** Without them more is read: that is no reason to leave a frame unchecked, nor all that are checked with it. */
  async function spread(task: AuditTask): Promise<AuditTask> {
    try {
      return await options.spread(task)
    } catch (error) {
      options.unexpected(error)
      return task
    }
  }

  return {
    async check(given) {
      const startedMs = clock.monotonic()
      const before = new Map(readers.map((reader) => [reader.name, reader.queries()]))
      const tasks: AuditTask[] = []
      for (const task of given) tasks.push(await spread(task))
      let verdicts: Verdict[]
      try {
        verdicts = await run(tasks)
      } catch (error) {
        const reason = reasonOf(error)
        log.write({ event: 'postponed', reason, frames: tasks.length })
        verdicts = tasks.map((task) => ({ task, outcome: 'postponed', differences: [], reason }))
      }
      const records = tasks.reduce((sum, { count }) => sum + count, 0)
      for (const { outcome } of verdicts) metrics.add('audit_frames_total', 1, { outcome })
      metrics.add('audit_records_total', records)
      const asked = readers.map(
        (reader) => [reader.name, reader.queries() - (before.get(reader.name) ?? 0)] as const,
      )
      log.write({
        event: 'checked',
        frames: tasks.length,
        records,
        queries: Object.fromEntries(asked),
        tookMs: Math.round(clock.monotonic() - startedMs),
      })
      return verdicts
    },
  }
}
