// What the traffic says of itself: metrics, and the busiest services for status and top.
import type { SamplingOptions } from '../../protocol/config/sampling.js'
import { ruleName } from '../../protocol/sampling/rules.js'
import type { Boost, ServiceStatus } from '../../protocol/traffic.js'
import type { ActorContext } from '../../runtime/actor.js'
import { infoRate } from './estimate.js'
import type { ServiceState } from './service-state.js'
import type { Services, Tracked } from './services.js'

export interface TrafficReport {
  tell(
    revision: number,
    settings: SamplingOptions,
    services: Services<ServiceState>,
    boosts: readonly Boost[],
  ): void
}

/** Services told of, those with most records first. */
const TOLD_MAX = 64
/** Services with a gauge of their own, first come. */
const NAMED_MAX = 64

export function createTrafficReport(context: ActorContext): TrafficReport {
  const { metrics } = context
  const named = new Map<string, { readonly namespace: string; readonly service: string }>()
  const rulesTold = new Set<string>()
  let wasQuiet = false

  function gauges(settings: SamplingOptions, services: Services<ServiceState>): void {
    metrics.set('sampling_services', services.size())
    for (const { key, namespace, service } of services.each())
      if (key !== '' && named.size < NAMED_MAX && !named.has(key)) named.set(key, { namespace, service })
    for (const [key, labels] of named) {
      const perSecond = services.find(key)?.state.decision().infoPerSecond
      metrics.set('sampling_info_rate', infoRate(perSecond, settings.info), labels)
    }
    const counts = new Map<string, number>(Array.from(rulesTold, (rule) => [rule, 0]))
    for (const { state } of services.each())
      for (const rule of state.rules()) counts.set(rule, (counts.get(rule) ?? 0) + 1)
    for (const [rule, count] of counts) {
      rulesTold.add(rule)
      metrics.set('sampling_rule_services', count, { rule })
    }
    // Names of rules that a reload took away are let go of when they have said 0.
    const known = new Set(settings.rules.map(({ name }, at) => ruleName(name, at)))
    for (const rule of rulesTold) if (!known.has(rule)) rulesTold.delete(rule)
  }

  return {
    tell(revision, settings, services, boosts) {
      gauges(settings, services)
      const quiet = services.size() === 0 && boosts.length === 0
      // An idle node has nothing to tell.
      if (quiet && wasQuiet) return
      wasQuiet = quiet
      metrics.set('sampling_boosts', boosts.length)
      const busiest = Array.from(services.each(), (entry) => statusOf(entry, settings))
        .toSorted((a, b) => b.seenPerSecond - a.seenPerSecond)
        .slice(0, TOLD_MAX)
      context.send('supervisor', {
        type: 'sampling_status',
        revision,
        tracked: services.size(),
        overflow: services.full(),
        services: busiest,
        boosts,
      })
    },
  }
}

function statusOf(
  { key, namespace, service, state }: Tracked<ServiceState>,
  { info }: SamplingOptions,
): ServiceStatus {
  const { infoPerSecond } = state.decision()
  const { seenPerSecond, keptPerSecond, figures } = state.last()
  return {
    namespace: key === '' ? 'other' : namespace,
    service: key === '' ? 'other' : service,
    ...(infoPerSecond === undefined ? {} : { infoPerSecond }),
    seenPerSecond,
    keptPerSecond,
    infoRate: infoRate(infoPerSecond, info),
    window: figures,
    rules: state.rules(),
  }
}
