// Faults of files: each is counted and logged once for as long as it lasts, and asked about again at the next search.
import type { ActorContext } from '../../../runtime/actor.js'

/** Faults remembered; beyond, they are counted without being logged. */
const CONDITIONS_MAX = 10_000

export interface Conditions {
  /** Counts the fault; logs it when it is new for this path. */
  report(path: string, reason: string, error?: unknown): void
  /** The path is fine again: the next fault of it is news. */
  clear(path: string): void
  /** Paths with a fault now. */
  count(): number
}

export function createConditions(context: ActorContext, source: string): Conditions {
  const active = new Map<string, Set<string>>()
  return {
    report(path, reason, error) {
      const reasons = active.get(path)
      if (reasons?.has(reason)) return
      context.metrics.add('source_errors_total', 1, { source, reason })
      if (reasons !== undefined) reasons.add(reason)
      else if (active.size < CONDITIONS_MAX) active.set(path, new Set([reason]))
      else return
      const detail = error instanceof Error ? error.message : undefined
      context.log.warn(
        { source, path, reason, detail },
        'a file cannot be read as it is; it is tried again at every search',
      )
    },
    clear(path) {
      active.delete(path)
    },
    count: () => active.size,
  }
}
