// What share of a stream's records is kept, and why: boosts, then rules, then the tiers with the live traffic of its service.
import type { SamplingOptions } from '../../protocol/config/sampling.js'
import { LEVELS, LOG_TYPES } from '../../protocol/levels.js'
import { type Boost, serviceKey } from '../../protocol/traffic.js'
import { type Decisions, NO_DECISIONS, type ServiceDecision } from '../traffic/decisions.js'
import { infoRate } from '../traffic/estimate.js'
import { createRuleBook, type RuleBook } from '../traffic/rule-book.js'
import { createBoostIndex } from './boost-index.js'
import { createDeciders, inputOf } from './deciders.js'

export interface StreamKey {
  readonly service: string
  readonly namespace: string
  /** 0 unknown, 1 TRACE … 6 FATAL */
  readonly level: number
  /** 0 app, 1 audit, 2 metric */
  readonly logType: number
  readonly pod?: string
  readonly pod_uid?: string
  /** serviceKey of its names, where the caller has it: thousands of streams are asked for at a reload. */
  readonly key?: string
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

/** The `reason` of records that are not kept. What keeps all is none. */
export type DropReason = `sampled_${'metric' | 'tier' | 'info_fixed' | 'info_live' | 'rule'}`

export interface Rates {
  of(stream: StreamKey): Verdict
  /** Some boost is for this pod: `of` has to be asked for its streams one by one. */
  boostsPod(pod: string | undefined, uid: string | undefined): boolean
  /** What decides about one record of a stream, with its status code where it has one. */
  explain(stream: StreamKey, status: number | undefined): Verdict
  /** Some rule asks for status codes. */
  readonly usesStatus: boolean
  /** Decisions of the traffic; returns the keys of services whose rates may differ now, undefined: of all. */
  decided(decisions: Decisions): readonly string[] | undefined
}

/** `boosts` are those in force now: their ends are for the caller to heed. `book`: the rules of these settings, where they are compiled already. */
export function createRates(
  settings: SamplingOptions,
  boosts: readonly Boost[] = [],
  book: RuleBook = createRuleBook(settings),
): Rates {
  const debugServices = new Set(settings.debug_services)
  const hasFixed = Object.keys(settings.info.services).length > 0
  const boosted = createBoostIndex(boosts)
  const deciders = createDeciders(book)
  let decisions = NO_DECISIONS
  const decisionOf = (stream: StreamKey): ServiceDecision | undefined =>
    decisions.services.get(stream.key ?? serviceKey(stream)) ?? decisions.shared
  function info(stream: StreamKey): Verdict {
    const fixed = settings.tiers.info ?? (hasFixed ? fixedRate(settings.info.services, stream) : undefined)
    if (fixed !== undefined) return { rate: fixed, why: 'info_fixed' }
    const perSecond = decisionOf(stream)?.infoPerSecond
    return { rate: infoRate(perSecond, settings.info), why: 'info_live' }
  }
  const metric: Verdict = { rate: settings.metric, why: 'metric' }
  const { fatal, error, warn, debug, trace } = settings.tiers
  const [ofFatal, ofError, ofWarn, ofDebug, ofTrace] = [fatal, error, warn, debug, trace].map(
    (rate): Verdict => ({ rate, why: 'tier' }),
  ) as [Verdict, Verdict, Verdict, Verdict, Verdict]
  function base(stream: StreamKey): Verdict {
    if (LOG_TYPES[stream.logType] === 'metric') return metric
    switch (LEVELS[stream.level]) {
      case 'FATAL':
        return ofFatal
      case 'ERROR':
        return ofError
      case 'WARN':
        return ofWarn
      case 'DEBUG':
        return debugged(stream) ?? ofDebug
      case 'TRACE':
        return debugged(stream) ?? ofTrace
      default:
        // Records whose level is not known are treated as info: neither noise nor an alarm.
        return info(stream)
    }
  }
  function debugged({ namespace, service }: StreamKey): Verdict | undefined {
    if (debugServices.size === 0) return undefined
    const named = debugServices.has(service) || debugServices.has(`${namespace}/${service}`)
    return named ? { rate: 1, why: 'debug_service' } : undefined
  }
  function aboveRules(stream: StreamKey): Verdict | undefined {
    // Audit records are evidence: nothing samples them away.
    if (LOG_TYPES[stream.logType] === 'audit') return { rate: 1, why: 'audit' }
    if (boosted.matches(stream)) return { rate: 1, why: 'boost' }
    return undefined
  }
  // Right after a reload the decisions may still be those of other rules.
  const heldText = (stream: StreamKey): string =>
    decisions.rules === book.key ? (decisionOf(stream)?.held ?? '') : ''
  return {
    usesStatus: book.set.usesStatus,
    boostsPod: boosted.namesPod,
    of(stream) {
      const above = aboveRules(stream)
      if (above !== undefined) return above
      const tier = base(stream)
      if (book.set.rules.length === 0) return tier
      const decision = deciders.of(stream, heldText(stream))(tier.rate)
      if (decision.rate === undefined && decision.status === undefined) return tier
      const { rate = tier.rate, rule, status } = decision
      const why = rule === undefined ? tier.why : (`rule:${rule}` as const)
      return status === undefined ? { rate, why } : { rate, why, status }
    },
    explain(stream, status) {
      const above = aboveRules(stream)
      if (above !== undefined) return above
      const tier = base(stream)
      const input = { ...inputOf(stream, heldText(stream)), baseRate: tier.rate }
      const found = book.set.explain(input, status)
      return found === undefined ? tier : { rate: found.rate, why: `rule:${found.rule.name}` }
    },
    decided(next) {
      const before = decisions
      decisions = next
      return changedServices(before, next)
    },
  }
}

/**
 * The kernel counts by stream. So where the stream's own rate and a rule's rates by status both drop records, all of them count for what set
 * the stream's own.
 */
export function dropReason({ rate, why, status }: Verdict): DropReason {
  if (why.startsWith('rule:') || (status !== undefined && rate >= 1)) return 'sampled_rule'
  switch (why) {
    case 'metric':
    case 'info_fixed':
    case 'info_live':
      return `sampled_${why}`
    default:
      return 'sampled_tier'
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
  if (before === NO_DECISIONS) return undefined
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
