// The order of log levels by name, with the other names people write for them.
import { LEVELS } from './levels.js'

const OTHER_NAMES: Readonly<Record<string, string>> = {
  WARNING: 'WARN',
  ERR: 'ERROR',
  INFORMATION: 'INFO',
  NOTICE: 'INFO',
  CRITICAL: 'FATAL',
  CRIT: 'FATAL',
  PANIC: 'FATAL',
}

/** `warning` → `WARN`; a name that is none is only written in capitals. */
export function levelName(text: string): string {
  const name = text.toUpperCase()
  return OTHER_NAMES[name] ?? name
}

/** 1 (TRACE) to 6 (FATAL); undefined for what is no level. */
export function levelRank(text: string): number | undefined {
  const rank = LEVELS.findIndex((level) => level === levelName(text))
  return rank > 0 ? rank : undefined
}
