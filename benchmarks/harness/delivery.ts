// What an agent really delivered: not how many records the sinks counted, but which, how often, and with the field that was to be added.
import type { Sinks } from './sinks.js'

export interface Delivery {
  /** Different records of those asked for, and how many had the mark. */
  readonly es: number
  readonly loki: number
  readonly marked: { readonly es: number; readonly loki: number }
  /** In both together. */
  readonly again: number
}

/** Runs something over a corpus of `records` and looks at what came. Finding a record costs the sinks time: not for a measured run. */
export async function lookAtDelivery(
  sinks: Sinks,
  records: number,
  mark: string,
  run: () => Promise<unknown>,
): Promise<Delivery> {
  await sinks.watch(records, mark)
  const failed = await run().then(
    () => undefined,
    (error: unknown) => ({ error }),
  )
  const taken = await sinks.take()
  if (failed !== undefined) throw failed.error
  const count = (times: Float64Array): number =>
    times.reduce((sum, ms) => sum + (Number.isNaN(ms) ? 0 : 1), 0)
  return { es: count(taken.es), loki: count(taken.loki), marked: taken.marks, again: taken.again }
}

/** A sentence for the report. */
export function deliveryText(name: string, records: number, delivery: Delivery): string {
  const { es, loki, marked, again } = delivery
  const all = es === records && loki === records
  const complete = all && marked.es >= records && marked.loki >= records && again === 0
  if (complete) return `${name}: checked: each of ${records} records once in both sinks, with the added field`
  return `${name}: checked: of ${records} records ${es} found in Elasticsearch and ${loki} in Loki (${marked.es} and ${marked.loki} with the added field), ${again} came again`
}
