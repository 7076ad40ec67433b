// The kernel's tables of rates by status code, shared by the streams for which the rules come to the same.
import type { Scanner } from '../../kernel/scanner.js'
import { STATUS_TABLES } from '../../kernel/table.js'
import type { ActorContext } from '../../runtime/actor.js'

export interface StatusTables {
  /** Gives the stream this table, or none. Returns the rate of its records without a status: higher than `rate` where no table was free. */
  set(stream: number, rate: number, status: Float32Array | undefined): number
  /** The kernel has forgotten its streams. */
  reset(): void
}

interface Table {
  rates: Float32Array | undefined
  streams: number
}

export function createStatusTables(context: ActorContext, scanner: Scanner): StatusTables {
  /** tables[n] is the kernel's table n + 1. */
  const tables: Table[] = Array.from({ length: STATUS_TABLES }, () => ({ rates: undefined, streams: 0 }))
  const given = new Map<number, number>()
  function take(stream: number, number: number): void {
    const before = given.get(stream) ?? 0
    if (before === number) return
    if (before > 0) (tables[before - 1] as Table).streams--
    if (number > 0) {
      ;(tables[number - 1] as Table).streams++
      given.set(stream, number)
    } else given.delete(stream)
    scanner.setStatusTable(stream, number)
  }
  function numberOf(status: Float32Array): number {
    const known = tables.findIndex(({ rates }) => rates !== undefined && equal(rates, status))
    if (known >= 0) return known + 1
    const free = tables.findIndex(({ streams }) => streams === 0)
    if (free < 0) return 0
    ;(tables[free] as Table).rates = status
    scanner.setStatusRates(free + 1, status)
    return free + 1
  }
  return {
    set(stream, rate, status) {
      if (status === undefined) {
        take(stream, 0)
        return rate
      }
      const number = numberOf(status)
      take(stream, number)
      if (number > 0) return rate
      // Rather too many of this stream's records than one that a rule wants.
      context.metrics.add('sampling_status_tables_full_total', 1)
      return status.reduce((most, each) => Math.max(most, Number.isNaN(each) ? 0 : each), rate)
    },
    reset() {
      given.clear()
      for (const table of tables) table.streams = 0
    },
  }
}

/** Rules that come to the same give the same object, until they are compiled again. */
function equal(a: Float32Array, b: Float32Array): boolean {
  return a === b || a.every((rate, at) => Object.is(rate, b[at]))
}
