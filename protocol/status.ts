// What a node says of itself as JSON: the answer of /status, and what `top` and `demo` draw.

import type { Boost, ServiceStatus } from './traffic.js'

/** `at` of a breaker: closed = requests pass, open = nothing is sent, half_open = probes only. */
export type BreakerState = 'closed' | 'open' | 'half_open'

export interface NodeStatus {
  readonly node: string
  readonly version: string
  readonly uptimeMs: number
  readonly ready: boolean
  /** Why the node is not ready; each names the thing and the way out. */
  readonly reasons: readonly string[]
  /** What is impaired while the node is ready. */
  readonly degraded: readonly string[]
  readonly actors: Readonly<Record<string, ActorStatus>>
  readonly groups: Readonly<Record<string, GroupState>>
  readonly memory: {
    readonly rssBytes: number
    /** Highest RSS of the process so far. */
    readonly peakRssBytes: number
    readonly heapUsedBytes?: number
    readonly externalBytes?: number
  }
  /** CPU time of the whole process since its start. */
  readonly cpu: { readonly userUs: number; readonly systemUs: number }
  readonly counters: NodeCounters
  readonly backends: Readonly<Record<string, BackendStatus>>
  readonly sampling?: NodeSampling
  readonly journal: { readonly bytes: number; readonly segments: number; readonly tailSeq: number }
}

export interface GroupState {
  readonly restarts: number
  /** Those of them that an operator asked for, from the moment of asking; absent in older nodes. */
  readonly asked?: number
  readonly up: boolean
}

/** How records are sampled now. */
export interface NodeSampling {
  /** Version of the settings in force. */
  readonly revision: number
  /** New settings taken since the node's start. */
  readonly reloads: number
  /** The last section that was refused, and why. */
  readonly refused?: { readonly atMs: number; readonly reason: string }
  /** Services whose traffic is followed; `overflow`: there are more, which share one rate. */
  readonly tracked: number
  readonly overflow: boolean
  /** The busiest ones. */
  readonly services: readonly ServiceStatus[]
  readonly boosts: readonly Boost[]
}

export interface ActorStatus {
  readonly group: string
  readonly ready: boolean
  readonly reason?: string
  readonly detail: Readonly<Record<string, string | number | boolean>>
}

/** Totals since the node's start. */
export interface NodeCounters {
  readonly readRecords: number
  readonly readBytes: number
  readonly keptRecords: number
  /** By reason, such as `sampled_tier`. */
  readonly droppedRecords: Readonly<Record<string, number>>
}

export interface BackendStatus {
  readonly writtenRecords: number
  readonly writtenBytes: number
  readonly failedRequests: number
  readonly lagFrames: number
  readonly lagSeconds: number
  readonly breaker: BreakerState
  readonly concurrency: number
  readonly deadLetters: number
}
