// What a day's bytes cost at each backend, by the prices of `report.cost`.
import type { CostOptions, ReportOptions } from '../../protocol/config/report.js'

export interface BackendCost {
  /** Bytes a day as they are billed. */
  readonly bytesPerDay: number
  /** Undefined where the backend has no price. */
  readonly price:
    | { readonly ingestPerDay: number; readonly storePerDay: number; readonly perDay: number }
    | undefined
}

export type Costs = Readonly<Record<string, BackendCost>>

const GB = 1e9
const DAY_MS = 86_400_000

/** `bytesPerDay` by backend, before `size_factor`. Storage: what a day costs once the retention is full. */
export function costsOf(
  backends: readonly string[],
  report: Pick<ReportOptions, 'cost'>,
  bytesPerDay: (backend: string) => number,
): Costs {
  return Object.fromEntries(
    backends.map((name) => {
      const prices = Object.hasOwn(report.cost, name) ? report.cost[name] : undefined
      const billed = bytesPerDay(name) * (prices?.size_factor ?? 1)
      return [
        name,
        { bytesPerDay: billed, price: prices === undefined ? undefined : priceOf(prices, billed) },
      ]
    }),
  )
}

function priceOf({ ingested_per_gb, stored_per_gb_day, retention }: CostOptions, bytes: number) {
  const ingestPerDay = (bytes / GB) * ingested_per_gb
  const storePerDay = (bytes / GB) * (retention / DAY_MS) * stored_per_gb_day
  return { ingestPerDay, storePerDay, perDay: ingestPerDay + storePerDay }
}

/** Undefined when no backend has a price. */
export function totalPerDay(costs: Costs): number | undefined {
  const prices = Object.values(costs).flatMap(({ price }) => (price === undefined ? [] : [price.perDay]))
  return prices.length === 0 ? undefined : prices.reduce((sum, each) => sum + each, 0)
}
