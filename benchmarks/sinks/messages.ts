// What a benchmark and the process of its sinks say to each other.
import type { SinkStats } from './http.js'
import type { Limit } from './limit.js'

export type SinksOrder =
  | { readonly type: 'stats' }
  | { readonly type: 'reset' }
  /** Both sinks; left out: they take all. */
  | { readonly type: 'limit'; readonly limit?: Limit }
  /** Notes from now on when each of so many records is acknowledged, and how often they have the mark. */
  | { readonly type: 'watch'; readonly records: number; readonly mark?: string }
  /** Ends that. */
  | { readonly type: 'take' }

export type SinksRequest = SinksOrder & { readonly id: number }

export type SinksAnswer =
  | { readonly type: 'listening'; readonly es: string; readonly loki: string }
  | { readonly type: 'done' }
  | { readonly type: 'stats'; readonly es: SinkStats; readonly loki: SinkStats; readonly cpuUs: number }
  /** ms of the shared clock, by running number; NaN has not come. `again`: came more than once. `marks`: how often the mark came. */
  | {
      readonly type: 'arrivals'
      readonly es: Float64Array
      readonly loki: Float64Array
      readonly again: number
      readonly marks: { readonly es: number; readonly loki: number }
    }
