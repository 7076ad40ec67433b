// The kernel's tables of rates by status code, shared by the streams for which the rules come to the same.
import type { Scanner } from '../../kernel/scanner.js'
import { STATUS_TABLES, STREAMS_MAX } from '../../kernel/table.js'

export interface StatusTables {
  /** The number of a table with these rates, 0: none was free. Give it to a stream before the next is asked for. */
  numberOf(status: Float32Array): number
  /** Gives the stream this table, or none: 0. */
  give(stream: number, number: number): void
  /** The kernel has forgotten its streams. */
  reset(): void
}

interface Table {
  rates: Float32Array | undefined
  streams: number
}

export function createStatusTables(scanner: Scanner): StatusTables {
  /** tables[n] is the kernel's table n + 1. */
  const tables: Table[] = Array.from({ length: STATUS_TABLES }, () => ({ rates: undefined, streams: 0 }))
  /** Table by stream, 0: none. */
  const given = new Uint8Array(STREAMS_MAX + 1)
  function give(stream: number, number: number): void {
    const before = given[stream] as number
    if (before === number) return
    if (before > 0) (tables[before - 1] as Table).streams--
    if (number > 0) (tables[number - 1] as Table).streams++
    given[stream] = number
    scanner.setStatusTable(stream, number)
  }
  function numberOf(status: Float32Array): number {
    const same = tables.findIndex(({ rates }) => rates === status)
    if (same >= 0) return same + 1
    const known = tables.findIndex(({ rates }) => rates !== undefined && equal(rates, status))
    if (known >= 0) {
      // Of rules that were compiled again: from now on it is found at once.
      ;(tables[known] as Table).rates = status
      return known + 1
    }
    const free = tables.findIndex(({ streams }) => streams === 0)
    if (free < 0) return 0
    ;(tables[free] as Table).rates = status
    scanner.setStatusRates(free + 1, status)
    return free + 1
  }
  return {
    numberOf,
    give,
    reset() {
      given.fill(0)
      for (const table of tables) table.streams = 0
    },
  }
}

function equal(a: Float32Array, b: Float32Array): boolean {
  for (let at = 0; at < a.length; at++) if (!Object.is(a[at], b[at])) return false
  return true
}
