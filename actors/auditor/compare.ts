// Compares a few random records byte for byte: as the journal has them, else the backends with each other.
import type { AuditTask } from '../../protocol/audit.js'
import type { Metrics } from '../../runtime/metrics.js'
import type { BackendReader } from './reader.js'

export interface Altered {
  readonly id: string
  readonly backend: string
  readonly altered: readonly number[]
}

export interface Comparison {
  /** Takes frames that every backend holds whole. */
  compare(tasks: readonly AuditTask[]): Promise<Altered[]>
}

export interface ComparisonOptions {
  readonly readers: readonly BackendReader[]
  /** Records per call. */
  readonly records: number
  random(): number
  /** The canonical record n of a frame, where the journal still has it. */
  original(task: AuditTask, n: number): Promise<string | undefined>
  readonly metrics: Metrics
}

export function createComparison(options: ComparisonOptions): Comparison {
  const { readers, metrics } = options
  const pick = (below: number): number => Math.floor(options.random() * below)

  async function compareOne(task: AuditTask, n: number): Promise<Altered[]> {
    const dead = readers.some(({ name }) => task.dead?.[name]?.includes(n))
    if (dead) return []
    const lines = new Map<string, string | undefined>()
    for (const reader of readers) lines.set(reader.name, (await reader.records(task, [n])).get(n)?.line)
    const original =
      (await options.original(task, n)) ?? [...lines.values()].find((line) => line !== undefined)
    metrics.add('audit_compared_total', 1)
    // What is not there at all was counted, and is not this comparison's to judge (a dead letter).
    return [...lines].flatMap(([backend, line]) =>
      line === undefined || line === original ? [] : [{ id: task.id, backend, altered: [n] }],
    )
  }

  return {
    async compare(tasks) {
      const altered: Altered[] = []
      for (let left = Math.min(options.records, tasks.length); left > 0; left--) {
        const task = tasks[pick(tasks.length)] as AuditTask
        altered.push(...(await compareOne(task, pick(task.count))))
      }
      return altered
    },
  }
}
