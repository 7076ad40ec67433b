// What share of a stream's records is kept, and why: boosts, then rules, then the tiers with the live traffic of its service.
import type { SamplingOptions } from '../../protocol/config/sampling.js'
import { LEVELS, LOG_TYPES } from '../../protocol/levels.js'
import type { DecideInput, Decision } from '../../protocol/sampling/rules.js'
import { type Boost, boostMatches, serviceKey } from '../../protocol/traffic.js'
import { type Decisions, NO_DECISIONS, type ServiceDecision } from '../traffic/decisions.js'
import { infoRate } from '../traffic/estimate.js'
import { createRuleBook, heldFrom } from '../traffic/rule-book.js'

export interface StreamKey {
  readonly service: string
  readonly namespace: string
  /** 0 unknown, 1 TRACE … 6 FATAL */
  readonly level: number
  /** 0 app, 1 audit, 2 metric */
  readonly logType: number
  readonly pod?: string
  readonly pod_uid?: string
}

/** What set a rate: `info_fixed` is a rate of `info.services` or `tiers.info`, `info_live` the traffic, `rule:NAME` a rule. */
export type Reason =
  | 'audit'
  | 'metric'
  | 'tier'
  | 'debug_service'
  | 'info_fixed'
  | 'info_live'
  | 'boost'
  | `rule:${string}`

export interface Verdict {
  /** 0 to 1 */
  readonly rate: number
  readonly why: Reason
  /** Rates by status code, NaN where the stream's rate holds; for records that have one. Equal tables are the same object. */
  readonly status?: Float32Array
}

export interface Rates {
  of(stream: StreamKey): Verdict
  /** What decides about one record of a stream, with its status code where it has one. */
  explain(stream: StreamKey, status: number | undefined): Verdict
  /** Some rule asks for status codes. */
  readonly usesStatus: boolean
  /** Decisions of the traffic; returns the keys of services whose rates may differ now, undefined: of all. */
  decided(decisions: Decisions): readonly string[] | undefined
}

const DECIDED_MAX = 16_384

/** `boosts` are those in force now: their ends are for the caller to heed. */
export function createRates(settings: SamplingOptions, boosts: readonly Boost[] = []): Rates {
  const debugServices = new Set(settings.debug_services)
  const book = createRuleBook(settings)
  let decisions = NO_DECISIONS
  const decisionOf = (key: string): ServiceDecision | undefined =>
    decisions.services.get(key) ?? decisions.shared
  function info(stream: StreamKey): Verdict {
    const fixed = settings.tiers.info ?? fixedRate(settings.info.services, stream)
    if (fixed !== undefined) return { rate: fixed, why: 'info_fixed' }
    const perSecond = decisionOf(serviceKey(stream))?.infoPerSecond
    return { rate: infoRate(perSecond, settings.info), why: 'info_live' }
  }
  function base(stream: StreamKey): Verdict {
    const { tiers } = settings
    if (LOG_TYPES[stream.logType] === 'metric') return { rate: settings.metric, why: 'metric' }
    switch (LEVELS[stream.level]) {
      case 'FATAL':
        return { rate: tiers.fatal, why: 'tier' }
      case 'ERROR':
        return { rate: tiers.error, why: 'tier' }
      case 'WARN':
        return { rate: tiers.warn, why: 'tier' }
      case 'DEBUG':
        return debugged(stream) ?? { rate: tiers.debug, why: 'tier' }
      case 'TRACE':
        return debugged(stream) ?? { rate: tiers.trace, why: 'tier' }
      default:
        // Records whose level is not known are treated as info: neither noise nor an alarm.
        return info(stream)
    }
  }
  function debugged({ namespace, service }: StreamKey): Verdict | undefined {
    const named = debugServices.has(service) || debugServices.has(`${namespace}/${service}`)
    return named ? { rate: 1, why: 'debug_service' } : undefined
  }
  function aboveRules(stream: StreamKey): Verdict | undefined {
    // Audit records are evidence: nothing samples them away.
    if (LOG_TYPES[stream.logType] === 'audit') return { rate: 1, why: 'audit' }
    if (boosts.some(({ match }) => boostMatches(match, stream))) return { rate: 1, why: 'boost' }
    return undefined
  }
  function inputOf(stream: StreamKey, baseRate: number, held: string): DecideInput {
    const { service, namespace, level, logType } = stream
    return { service, namespace, level, logType, baseRate, window: undefined, held: heldFrom(held) }
  }
  // Right after a reload the decisions may still be those of other rules.
  const heldText = (stream: StreamKey): string =>
    decisions.rules === book.key ? (decisionOf(serviceKey(stream))?.held ?? '') : ''
  /** Streams that no rule can tell apart: thousands of them are decided at every reload. */
  const decided = new Map<string, Decision>()
  function decide(stream: StreamKey, baseRate: number): Decision {
    const held = heldText(stream)
    const alike = `${stream.level} ${stream.logType} ${baseRate} ${held}`
    const key = book.namesServices ? `${alike} ${serviceKey(stream)}` : alike
    const known = decided.get(key)
    if (known !== undefined) return known
    if (decided.size >= DECIDED_MAX) decided.clear()
    const decision = book.set.decide(inputOf(stream, baseRate, held))
    decided.set(key, decision)
    return decision
  }
  return {
    usesStatus: book.set.usesStatus,
    of(stream) {
      const above = aboveRules(stream)
      if (above !== undefined) return above
      const tier = base(stream)
      if (book.set.rules.length === 0) return tier
      const { rate = tier.rate, rule, status } = decide(stream, tier.rate)
      const why = rule === undefined ? tier.why : (`rule:${rule}` as const)
      return status === undefined ? { rate, why } : { rate, why, status }
    },
    explain(stream, status) {
      const above = aboveRules(stream)
      if (above !== undefined) return above
      const tier = base(stream)
      const found = book.set.explain(inputOf(stream, tier.rate, heldText(stream)), status)
      return found === undefined ? tier : { rate: found.rate, why: `rule:${found.rule.name}` }
    },
    decided(next) {
      const before = decisions
      decisions = next
      return changedServices(before, next)
    },
  }
}

/** The name with its namespace is the more exact one. Only own keys: a service may be named `constructor`. */
function fixedRate(
  rates: Readonly<Record<string, number>>,
  { namespace, service }: StreamKey,
): number | undefined {
  const exact = `${namespace}/${service}`
  if (Object.hasOwn(rates, exact)) return rates[exact]
  return Object.hasOwn(rates, service) ? rates[service] : undefined
}

function changedServices(before: Decisions, after: Decisions): readonly string[] | undefined {
  if (before.rules !== after.rules || !same(before.shared, after.shared)) return undefined
  const changed: string[] = []
  for (const [key, decision] of after.services)
    if (!same(before.services.get(key), decision)) changed.push(key)
  for (const key of before.services.keys()) if (!after.services.has(key)) changed.push(key)
  return changed
}

function same(a: ServiceDecision | undefined, b: ServiceDecision | undefined): boolean {
  return (
    a?.infoPerSecond === b?.infoPerSecond && a?.held === b?.held && (a === undefined) === (b === undefined)
  )
}
