// What actors say to each other of the traffic: counts per service, boosts, and what is known of a service now.
import type { WindowMetrics } from './sampling/rule-evaluate.js'

/** What rules see of a service; a figure is absent while too few records were seen. */
export type WindowFigures = WindowMetrics

/** A service is a namespace and a service name. */
export interface ServiceName {
  readonly namespace: string
  readonly service: string
}

/** Counts of one service's records of type app in one step, before sampling. */
export interface ServiceCounts extends ServiceName {
  readonly seen: number
  readonly kept: number
  /** Those of the info tier: INFO and without a level. */
  readonly info: number
  /** ERROR, FATAL, and a status of 500 or more below these levels. */
  readonly errors: number
  /** Pairs of the latency sketch (protocol/sampling/sketch.ts): bucket, count, … */
  readonly latency?: readonly number[]
}

/** A service's info records per second. */
export interface ServiceInfo extends ServiceName {
  readonly info: number
}

/** All that is given must be equal; at least one is. */
export interface BoostMatch {
  readonly namespace?: string
  readonly pod?: string
  readonly pod_uid?: string
  readonly service?: string
}

/** What matches is kept, all of it, until then (ms since the epoch; 0 ends an equal one). */
export interface Boost {
  readonly match: BoostMatch
  readonly untilMs: number
}

/** What became of one: its end in force, that an equal one ended (or there was none), or why it is refused. */
export type BoostOutcome =
  | { readonly untilMs: number }
  | { readonly ended: boolean }
  | { readonly refused: string }

/** A service as `ctl status` and `top` show it. */
export interface ServiceStatus extends ServiceName {
  /** Info records per second, of all nodes, smoothed; absent until the first estimate. */
  readonly infoPerSecond?: number
  /** App records of this node in the last step. */
  readonly seenPerSecond: number
  readonly keptPerSecond: number
  /** Rate of its info records by its traffic, before rules and boosts. */
  readonly infoRate: number
  readonly window: WindowFigures
  /** Names of the rules that hold because of its window, for some of its records at least. */
  readonly rules: readonly string[]
}

export interface SamplingStatus {
  /** Version of the settings that these decisions follow. */
  readonly revision: number
  readonly tracked: number
  /** Services beyond info.services_max share one rate. */
  readonly overflow: boolean
  /** The busiest ones. */
  readonly services: readonly ServiceStatus[]
  readonly boosts: readonly Boost[]
}

/** One text for a service. Names may hold any character, so the first one's length tells where it ends. */
export function serviceKey({ namespace, service }: ServiceName): string {
  return `${namespace.length} ${namespace}/${service}`
}

export function boostMatches(
  match: BoostMatch,
  of: {
    readonly namespace: string
    readonly service: string
    readonly pod?: string
    readonly pod_uid?: string
  },
): boolean {
  const { namespace = of.namespace, service = of.service, pod = of.pod, pod_uid = of.pod_uid } = match
  return namespace === of.namespace && service === of.service && pod === of.pod && pod_uid === of.pod_uid
}
