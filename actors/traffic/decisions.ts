// What the actor `traffic` publishes and `sample` reads: each service's traffic and the rules in force, boosts, in one text.
import type { Boost } from '../../protocol/traffic.js'
import { serviceKey, type ServiceName } from '../../protocol/traffic.js'

export interface ServiceDecision {
  /** Smoothed info records per second of all nodes; undefined: not known yet, its records are kept in full. */
  readonly infoPerSecond: number | undefined
  /** What the windows of the last time make of the rules: opaque to all but the rules engine; '' when there are none. */
  readonly held: string
}

export interface Decisions {
  /** Names the rules that `held` belongs to; other rules must not use it. */
  readonly rules: string
  /** By serviceKey. */
  readonly services: ReadonlyMap<string, ServiceDecision & ServiceName>
  /** Of all services without a decision of their own; undefined: there is room, an unknown service is a new one. */
  readonly shared: ServiceDecision | undefined
  readonly boosts: readonly Boost[]
}

type Line = readonly [namespace: string, service: string, infoPerSecond: number | null, held?: string]
interface Text {
  readonly rules: string
  readonly services: readonly Line[]
  readonly shared?: Line
  readonly boosts: readonly Boost[]
}

export const NO_DECISIONS: Decisions = { rules: '', services: new Map(), shared: undefined, boosts: [] }

export function encodeDecisions(
  rules: string,
  services: Iterable<readonly [ServiceName, ServiceDecision]>,
  shared: ServiceDecision | undefined,
  boosts: readonly Boost[],
): string {
  const text: Text = {
    rules,
    services: Array.from(services, ([name, decision]) => line(name, decision)),
    ...(shared === undefined ? {} : { shared: line({ namespace: '', service: '' }, shared) }),
    boosts,
  }
  return JSON.stringify(text)
}

function line({ namespace, service }: ServiceName, { infoPerSecond, held }: ServiceDecision): Line {
  const perSecond = infoPerSecond ?? null
  return held === '' ? [namespace, service, perSecond] : [namespace, service, perSecond, held]
}

/** '' is what the memory holds before the first decision. */
export function decodeDecisions(text: string): Decisions {
  if (text === '') return NO_DECISIONS
  const { rules, services, shared, boosts } = JSON.parse(text) as Text
  return {
    rules,
    services: new Map(services.map(named)),
    shared: shared === undefined ? undefined : decision(shared),
    boosts,
  }
}

function named(line: Line): [string, ServiceDecision & ServiceName] {
  const [namespace, service] = line
  return [serviceKey({ namespace, service }), { namespace, service, ...decision(line) }]
}

function decision([, , infoPerSecond, held = '']: Line): ServiceDecision {
  return { infoPerSecond: infoPerSecond ?? undefined, held }
}
