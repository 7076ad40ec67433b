// What share of a stream's records is kept: by level, by service, by log type, from the live sampling settings.
import type { SamplingOptions } from '../../protocol/config/sampling.js'
import { LEVELS, LOG_TYPES } from '../../protocol/levels.js'

export interface StreamKey {
  readonly service: string
  /** 0 unknown, 1 TRACE … 6 FATAL */
  readonly level: number
  /** 0 app, 1 audit, 2 metric */
  readonly logType: number
}

/** The rate, 0 to 1, at which records of a stream are kept under these settings. */
export function rateOf(settings: SamplingOptions, { service, level, logType }: StreamKey): number {
  const { tiers, info, debug_services } = settings
  const type = LOG_TYPES[logType]
  // Audit records are evidence: nothing samples them away.
  if (type === 'audit') return 1
  if (type === 'metric') return settings.metric
  switch (LEVELS[level]) {
    case 'FATAL':
      return tiers.fatal
    case 'ERROR':
      return tiers.error
    case 'WARN':
      return tiers.warn
    case 'DEBUG':
      return debug_services.includes(service) ? 1 : tiers.debug
    case 'TRACE':
      return debug_services.includes(service) ? 1 : tiers.trace
    default:
      // Records whose level is not known are treated as info: neither noise nor an alarm.
      return tiers.info ?? info.services[service] ?? 1
  }
}
